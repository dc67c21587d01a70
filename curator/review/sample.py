"""Which of the pairs that people judged are a fair sample of all; pure.

The random order of a seed is a permutation of all pairs, and people go through it from its start.
So the pairs up to the last one that was drawn in that order are a simple random sample, whichever
way each of them came to its reviewer: one that was judged before, in another order, is passed over
there and counts here. Judging by another order, or some kinds of pairs alone, adds nothing else.
Pairs of it that everybody skipped are lacking; they are counted, for they may be the hard ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from curator.ledger.records.review import Review, SeenPair
from curator.review.verdicts import deciding

FAIR: Final = "random"
"""How a review is drawn that is part of the sample: in the random order of all pairs."""


def fair_sample(pairs: Iterable[SeenPair]) -> list[SeenPair]:
    """Return those of the judged pairs that are a fair sample of their campaigns."""
    judged = [(pair, deciding(pair.reviews)) for pair in pairs]
    reach = _reach(judged)
    return [pair for pair, reviews in judged if _is_drawn(pair, reviews, reach)]


def skipped_in_sample(pairs: Iterable[SeenPair]) -> int:
    """Return how many pairs lie where the fair sample does and were skipped by all who saw them."""
    seen = [pair for pair in pairs if pair.reviews]
    reach = _reach((pair, deciding(pair.reviews)) for pair in seen)
    return sum(
        not deciding(pair.reviews)
        and any(
            review.position <= reach.get((pair.campaign_id, review.drawn_seed), -1.0)
            for review in pair.reviews
        )
        for pair in seen
    )


def _reach(judged: Iterable[tuple[SeenPair, Sequence[Review]]]) -> dict[tuple[int, int], float]:
    """Return how far the order of each campaign and seed was gone through."""
    reach: dict[tuple[int, int], float] = {}
    for pair, reviews in judged:
        for review in reviews:
            if review.drawn == FAIR:
                order = (pair.campaign_id, review.drawn_seed)
                reach[order] = max(reach.get(order, 0.0), review.position)
    return reach


def _is_drawn(
    pair: SeenPair, reviews: Sequence[Review], reach: dict[tuple[int, int], float]
) -> bool:
    return any(
        review.drawn == FAIR
        or review.position <= reach.get((pair.campaign_id, review.drawn_seed), -1.0)
        for review in reviews
    )
