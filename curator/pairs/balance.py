"""What exported pairs can be balanced by, in the words of the option."""

from __future__ import annotations

from enum import StrEnum


class Balance(StrEnum):
    """What the exported pairs are balanced by."""

    TYPE = "type"
    ANSWER = "answer"
