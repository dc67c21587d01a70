"""How far a model's answers are from the known ones: a teacher that changes, or is unsteady. Pure.

Asked twice, no model answers all questions alike, and one that was changed behind its name answers
some of them differently for good. Both are played here, so that a client can be tested on telling
one from the other.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import replace

from curator.rehearsal.answers.reply_text import UNKNOWN
from shared.questions.answers import normalise
from shared.records import QAPair
from shared.value_class import value_class


@value_class
class Temper:
    """Which answers of a model are not the known ones.

    Once it has changed, at ``changes_at`` seconds since the epoch and after ``changes_after``
    requests, it answers a ``changed_share`` of the questions differently, always the same ones and
    the same way. Besides, each answer is another one with the chance ``unsteady_share``.
    """

    changes_at: float = -math.inf
    changes_after: int = 0
    changed_share: float = 0.0
    unsteady_share: float = 0.0

    def told(
        self, pairs: Sequence[QAPair], requests: int, now: float, die: random.Random
    ) -> tuple[QAPair, ...]:
        """Return ``pairs`` as the model answers them, to its ``requests``-th request."""
        is_past = not self.changes_after or requests > self.changes_after
        has_changed = now >= self.changes_at and is_past
        share = self.changed_share if has_changed else 0.0
        if not share and not self.unsteady_share:
            return tuple(pairs)
        return tuple(
            _answered_otherwise(pair, pairs)
            if _place(pair) < share or die.random() < self.unsteady_share
            else pair
            for pair in pairs
        )


STEADY = Temper()


def _place(pair: QAPair) -> float:
    """Return a number in [0, 1) that image and question alone decide, evenly spread."""
    digest = hashlib.blake2b(f"{pair.filename}\0{pair.question}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def _answered_otherwise(pair: QAPair, pairs: Sequence[QAPair]) -> QAPair:
    """Return a pair with the answer to another question, if any other is known."""
    known = normalise(pair.answer)
    answer = next((each.answer for each in pairs if normalise(each.answer) != known), UNKNOWN)
    return replace(pair, answer=answer)
