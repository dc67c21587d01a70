"""Pairs on which people decided, made by hand."""

from __future__ import annotations

from itertools import count

from curator.ledger.records.review import Decision, PairKey, Place, Review, SeenPair

_NUMBERS = count()


def reviewed(item: int, *said: tuple, question: str = "", **more) -> SeenPair:
    """Return a pair of ``item``; each of ``said`` is a reviewer, a decision and what else it has.

    It was drawn at random, unless that is said.
    """
    number = next(_NUMBERS)
    question = question or f"What is the color of part {number}?"
    key = PairKey(item, question, more.get("answer", "red"))
    drawn = {"drawn": "random", "position": 0.5}
    reviews = tuple(
        Review(key, name, Decision(decision), 1.0, **(drawn | dict(*rest)))
        for name, decision, *rest in said
    )
    more = {"answer": "red", "model": "gemini-x", "prompt_version": "1-abc"} | more
    return SeenPair(
        1, Place(item, number), f"B{item}", f"{item}.png", {}, question, reviews=reviews, **more
    )
