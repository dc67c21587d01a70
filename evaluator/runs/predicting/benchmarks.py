"""Benchmarks whose servers take files of answers, by the words that ask for such a file."""

from __future__ import annotations

from enum import StrEnum


class Submission(StrEnum):
    """Whose server a file is for."""

    VQA_V2 = "vqa-v2"
    VIZWIZ = "vizwiz"
    TEXTVQA = "textvqa"
    DOCVQA = "docvqa"
    GQA = "gqa"
