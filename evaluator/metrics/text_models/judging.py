"""Whoever judges answers, as metrics see them: they cannot tell a model from anybody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """What a judge says of an answer; ``UNSAID`` is no verdict, for whatever reason."""

    RIGHT = "right"
    WRONG = "wrong"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True)
class Case:
    """What a judge is shown: no picture, and nothing of who answered."""

    question: str
    references: tuple[str, ...]
    answer: str


class Judging(Protocol):
    """A judge of answers."""

    @property
    def signature(self) -> str:
        """Return who judges by which rubric, as far as the verdicts so far tell."""
        ...

    def verdicts(self, cases: Sequence[Case]) -> Sequence[Verdict]:
        """Return the verdict on each case; equal ones are judged once."""
        ...
