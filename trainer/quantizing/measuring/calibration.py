"""What rounding loses on calibration questions: how far the exact model's answers stay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch.nn.functional import kl_div

from shared.images.decoding import open_image
from shared.records import QAPair
from trainer.learners.learner import Features, Learner

_IMAGES_TOGETHER: Final = 8
ALL: Final = 1e6
"""Nats a question: more than any answer takes."""


@dataclass
class Calibration:
    """Questions about images, asked of a learner's network whatever its layers are just now."""

    learner: Learner[Any]
    pairs: Sequence[QAPair]
    images: Path

    @cached_property
    def names(self) -> list[str]:
        """The images, each once."""
        return list(dict.fromkeys(pair.filename for pair in self.pairs))

    @cached_property
    def _rows(self) -> list[int]:
        place = {name: row for row, name in enumerate(self.names)}
        return [place[pair.filename] for pair in self.pairs]

    @cached_property
    def _pixels(self) -> list[Any]:
        prepare = self.learner.answerer.prepare
        return [prepare(open_image(self.images / name)) for name in self.names]

    @torch.no_grad()
    def features(self) -> Features:
        """Encode the images."""
        parts: list[Any] = []
        for first in range(0, len(self._pixels), _IMAGES_TOGETHER):
            parts += list(self.learner.encode(self._pixels[first : first + _IMAGES_TOGETHER]))
        return parts

    def _asked_together(self) -> Iterator[tuple[slice, list[int]]]:
        """Yield few images at a time, and the places of the questions about them."""
        for first in range(0, len(self.names), _IMAGES_TOGETHER):
            some = slice(first, first + _IMAGES_TOGETHER)
            rows = range(*some.indices(len(self.names)))
            yield some, [place for place, row in enumerate(self._rows) if row in rows]

    @torch.no_grad()
    def answers(self, features: Features) -> list[str]:
        """Ask every question."""
        answers = [""] * len(self.pairs)
        for some, asked in self._asked_together():
            said = self.learner.answerer.answer(
                self.learner.remember(features[some]),
                [self._rows[place] - some.start for place in asked],
                [self.pairs[place].question for place in asked],
            )
            for place, answer in zip(asked, said, strict=True):
                answers[place] = answer.text
        return answers

    @torch.no_grad()
    def log_probabilities(
        self, features: Features, answers: Sequence[str]
    ) -> Iterator[torch.Tensor]:
        """Yield those of all choices on the way to the answers, ``(A, C)`` for few images each."""
        for some, asked in self._asked_together():
            given = [_Said(self.pairs[place].question, answers[place]) for place in asked]
            image_of = [self._rows[place] - some.start for place in asked]
            examples = self.learner.tokenise(given)
            yield self.learner.log_probabilities(features[some], image_of, examples)


class _Said(NamedTuple):
    """What a model said to a question, which may be nothing."""

    question: str
    answer: str


class Exact:
    """The exact model on its calibration questions, and what is lost against it."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._features = calibration.features()
        self.answers = calibration.answers(self._features)
        choices = calibration.log_probabilities(self._features, self.answers)
        # All of them, which the network's device may have no room for.
        self._said = [some.cpu() for some in choices]

    def run_through(self, watch: AbstractContextManager[None]) -> None:
        """Ask everything once within ``watch``, pictures too."""
        with watch:
            features = self._calibration.features()
            for _ in self._calibration.log_probabilities(features, self.answers):
                pass

    def lost(self, *, sees_otherwise: bool) -> float:
        """Return what the network loses as it is now; pictures are encoded again if asked.

        That is the Kullback-Leibler divergence of its choices from the exact model's, on the way
        to the exact model's answers, in nats a question. Small changes show in it long before an
        answer is another. What is no number any more has lost ``ALL``.
        """
        calibration = self._calibration
        features = calibration.features() if sees_otherwise else self._features
        said = calibration.log_probabilities(features, self.answers)
        apart = sum(map(_divergence, self._said, said))
        # In float32, some 1e-7 may be missing to 0.
        return max(apart, 0.0) / len(self.answers) if math.isfinite(apart) else ALL


def _divergence(exact_AC: torch.Tensor, now_AC: torch.Tensor) -> float:
    exact_AC = exact_AC.to(now_AC.device)
    each_AC = kl_div(now_AC, exact_AC, reduction="none", log_target=True)
    # What cannot be chosen adds nothing.
    return float(each_AC.masked_fill_(exact_AC.isneginf(), 0).sum(dtype=torch.float64))
