"""A replica without a model, for tests of the fleet: its process starts in a second, not in ten.

It answers with the names it was given, and does as the image's name says: ``deadly`` ends its
process, ``raises`` raises. ``once`` in the name means that it happens the first time only, for
which a mark is left in the folder.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from evaluator.answering.messages import AdapterEffect, ModelFacts, Reply
from shared.errors import AdapterNotApplied
from shared.records import Question

SECONDS_A_QUESTION = 0.01


class ScriptedReplica:
    def __init__(self, folder: Path, start: str = "") -> None:
        self._folder = folder
        self._revision = "1"
        if start == "raises":
            raise OSError("weights.safetensors: not a safetensors file")
        if start == "bad input":
            raise AdapterNotApplied("adapter: was it trained on another base?")
        if start == "dies once" and self._first("has-not-started"):
            os._exit(1)
        if start == "dies":
            os._exit(1)
        if start == "other revision once" and self._first("other-revision"):
            self._revision = "2"

    def facts(self) -> ModelFacts:
        return ModelFacts("scripted", self._revision, "none", "", "cpu", "float32")

    def answer(self, questions: Sequence[Question]) -> list[Reply]:
        for name in sorted({question.filename for question in questions}):
            if "once" in name and not self._first(f"{name}.mark"):
                continue
            if "deadly" in name:
                os._exit(1)
            if "raises" in name:
                raise RuntimeError(f"CUDA out of memory at {name}")
        return [
            Reply(question.id, f"{question.text} {question.filename}", 1.0, None, False)
            for question in questions
        ]

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        return AdapterEffect(len(questions), len(questions))

    def _first(self, name: str) -> bool:
        """Whether no other process has asked this before."""
        try:
            (self._folder / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class SlowReplica(ScriptedReplica):
    """Takes its time for each question, and is now right, now wrong, always in the same way.

    All answers are of shapes and colours, as in ``tests.pictures``.
    """

    def answer(self, questions: Sequence[Question]) -> list[Reply]:
        time.sleep(SECONDS_A_QUESTION * len(questions))
        return [_reply(question) for question in questions]


def _reply(question: Question) -> Reply:
    number = zlib.crc32(f"{question.text} {question.filename}".encode())
    answers = ("red", "green", "blue", "circle", "square", "triangle")
    confidence = number % 1_000 / 1_000
    return Reply(question.id, answers[number % len(answers)], confidence, None, False)
