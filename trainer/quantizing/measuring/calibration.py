"""What rounding loses on calibration questions: how far the exact model's answers stay."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch

from shared.images.decoding import open_image
from shared.records import QAPair
from trainer.learners.learner import Features, Learner

_IMAGES_TOGETHER: Final = 8


@dataclass(frozen=True, slots=True)
class Lost:
    """What was lost of all questions: nats of the exact model's answers a question, and changes."""

    nats: float
    changed: float


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

    @torch.no_grad()
    def answers(self, features: Features) -> list[str]:
        """Ask every question, about few images at a time."""
        answers = [""] * len(self.pairs)
        for first in range(0, len(features), _IMAGES_TOGETHER):
            some = range(first, min(first + _IMAGES_TOGETHER, len(features)))
            asked = [place for place, row in enumerate(self._rows) if row in some]
            memory = self.learner.remember([features[row] for row in some])
            said = self.learner.answerer.answer(
                memory,
                [self._rows[place] - first for place in asked],
                [self.pairs[place].question for place in asked],
            )
            for place, answer in zip(asked, said, strict=True):
                answers[place] = answer.text
        return answers

    @torch.no_grad()
    def nats(self, features: Features, answers: Sequence[str]) -> float:
        """Return minus the log-likelihood of answers, a mean over questions."""
        given = [
            replace(pair, answer=answer) for pair, answer in zip(self.pairs, answers, strict=True)
        ]
        loss = self.learner.loss_sum(features, self._rows, self.learner.tokenise(given))
        return float(loss) / len(given)


class Exact:
    """The exact model on its calibration questions, and what is lost against it."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._features = calibration.features()
        self._answers = calibration.answers(self._features)
        self._nats = calibration.nats(self._features, self._answers)

    def run_through(self, watch: AbstractContextManager[None]) -> None:
        """Ask everything once within ``watch``, pictures too."""
        with watch:
            self._calibration.nats(self._calibration.features(), self._answers)

    def lost(self, *, sees_otherwise: bool) -> Lost:
        """Return what the network loses as it is now; pictures are encoded again if asked."""
        calibration = self._calibration
        features = calibration.features() if sees_otherwise else self._features
        answers = calibration.answers(features)
        changed = sum(map(str.__ne__, answers, self._answers)) / len(answers)
        return Lost(calibration.nats(features, self._answers) - self._nats, changed)
