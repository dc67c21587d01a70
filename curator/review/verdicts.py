"""What several people's decisions about a pair come to; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from curator.ledger.records.review import Decision, Review, SeenPair
from shared.questions.answers import normalise
from shared.value_class import value_class


class Outcome(StrEnum):
    """What a pair is taken for, after all that people said."""

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    REJECTED = "rejected"
    DISPUTED = "disputed"
    """As many say so as say otherwise, or they have different answers in mind."""


@value_class
class Verdict:
    """An outcome; ``correction`` is the right answer where it is ``CORRECTED``."""

    outcome: Outcome
    correction: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the answer that stands there is the right one; no dispute makes it so."""
        return self.outcome is Outcome.ACCEPTED


def deciding(reviews: Iterable[Review]) -> list[Review]:
    """Return the reviews that decide something: who skipped a pair said nothing."""
    return [review for review in reviews if review.decision is not Decision.SKIPPED]


def verdict_on(pair: SeenPair) -> Verdict | None:
    """Return what people say of a pair, by the majority; ``None`` if nobody decided."""
    return verdict_of(deciding(pair.reviews))


def verdict_of(reviews: Sequence[Review]) -> Verdict | None:
    """Return what deciding reviews come to; ``None`` if there is none.

    The answers that people think right are counted, the one that is there among them, and "none"
    for a rejection. One that more than half of them name is the verdict; all else is disputed.
    """
    if not reviews:
        return None
    counts = Counter(_answer(review) for review in reviews)
    (decision, answer), votes = counts.most_common(1)[0]
    if 2 * votes <= len(reviews):
        return Verdict(Outcome.DISPUTED)
    if decision is not Decision.CORRECTED:
        return Verdict(Outcome(decision.value))
    written = (review.correction for review in reviews if _answer(review) == (decision, answer))
    return Verdict(Outcome.CORRECTED, next(written))


def _answer(review: Review) -> tuple[Decision, str]:
    is_correction = review.decision is Decision.CORRECTED
    return review.decision, normalise(review.correction) if is_correction else ""
