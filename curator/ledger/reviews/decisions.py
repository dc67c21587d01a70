"""What people decide, and what is in whose hands: each function is part of one transaction.

A verdict belongs to an image, a question and an answer. It stays when pairs are judged again, and
comes back with the pair if that does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from curator.ledger.records.review import Decision, PairKey, Review
from curator.ledger.reviews.browsing import review_of
from curator.ledger.reviews.candidates import Candidate, Draw

LEASE_S: Final = 600.0
"""How long a pair stays in the hands of who was handed it."""
_OLD_S: Final = 86_400.0
_SAME: Final = "item_id = ? AND question = ? AND answer = ?"


def hand_out(
    connection: sqlite3.Connection,
    waiting: Iterable[Candidate],
    reviewer: str,
    count: int,
    *,
    draw: Draw,
    now: float,
) -> tuple[list[Candidate], list[Candidate]]:
    """Return the first ``count`` candidates for a person, and those that nobody needs to see.

    What is handed out is in this person's hands for ``LEASE_S``. A pair goes to one person, or to
    two where it is among the share that two look at; who skipped it counts for none.
    """
    connection.execute("DELETE FROM review_leases WHERE expires_at < ?", (now - _OLD_S,))
    given: list[Candidate] = []
    over: list[Candidate] = []
    for candidate in waiting:
        if len(given) == count:
            break
        others, mine, held = _taken(connection, candidate.key, reviewer, now)
        people = candidate.people(draw.double)
        if others >= people:
            over.append(candidate)
        elif not mine and others + held < people:
            _lease(connection, candidate, reviewer, draw, now)
            given.append(candidate)
    return given, over


def _taken(
    connection: sqlite3.Connection, key: PairKey, reviewer: str, now: float
) -> tuple[int, bool, int]:
    """Return how many decided, whether this person did, and how many others have it in hand."""
    same = (key.item_id, key.question, key.answer)
    decided = connection.execute(
        f"SELECT reviewer, decision FROM reviews WHERE {_SAME}",  # noqa: S608
        same,
    ).fetchall()
    (held,) = connection.execute(
        f"SELECT count(*) FROM review_leases WHERE {_SAME} AND reviewer != ? AND expires_at > ?",  # noqa: S608
        (*same, reviewer, now),
    ).fetchone()
    verdicts = sum(decision != Decision.SKIPPED for _, decision in decided)
    return verdicts, any(name == reviewer for name, _ in decided), held


def _lease(
    connection: sqlite3.Connection, candidate: Candidate, reviewer: str, draw: Draw, now: float
) -> None:
    key = candidate.key
    connection.execute(
        "INSERT OR REPLACE INTO review_leases VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(key.item_id, key.question, key.answer, reviewer, now + LEASE_S),
            *(draw.name, draw.seed, candidate.rank.position),
        ),
    )


def drawn_as(
    connection: sqlite3.Connection, key: PairKey, reviewer: str
) -> tuple[str, int, float] | None:
    """Return order, seed and position of a pair that was handed to a person, if it was."""
    row = connection.execute(
        f"SELECT drawn, drawn_seed, position FROM review_leases WHERE {_SAME} AND reviewer = ?",  # noqa: S608
        (key.item_id, key.question, key.answer, reviewer),
    ).fetchone()
    return None if row is None else tuple(row)


def put(connection: sqlite3.Connection, reviews: Iterable[Review]) -> None:
    """Write verdicts, each in the place of what the same person said of the pair before."""
    for review in reviews:
        key = review.key
        same = (key.item_id, key.question, key.answer, review.reviewer)
        connection.execute(
            "INSERT OR REPLACE INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *same,
                review.decision.value,
                *(review.correction, review.reason, review.decided_at),
                *(review.drawn, review.drawn_seed, review.position),
            ),
        )
        connection.execute(f"DELETE FROM review_leases WHERE {_SAME} AND reviewer = ?", same)  # noqa: S608


def take_back(
    connection: sqlite3.Connection, reviewer: str, campaign_id: int, now: float
) -> Review | None:
    """Remove a person's latest verdict on a pair that the campaign has; return what it was.

    The pair is handed out to them again. Verdicts on what the campaign does not have, or has no
    more, stay: nobody would see them go.
    """
    row = connection.execute(
        "SELECT r.* FROM reviews AS r WHERE r.reviewer = ? AND EXISTS (SELECT 1 FROM pairs AS p "
        "WHERE p.campaign_id = ? AND p.item_id = r.item_id AND p.question = r.question "
        "AND p.answer = r.answer) ORDER BY r.decided_at DESC LIMIT 1",
        (reviewer, campaign_id),
    ).fetchone()
    if row is None:
        return None
    review = review_of(row)
    key = review.key
    same = (key.item_id, key.question, key.answer, reviewer)
    connection.execute(f"DELETE FROM reviews WHERE {_SAME} AND reviewer = ?", same)  # noqa: S608
    connection.execute(
        "INSERT OR REPLACE INTO review_leases VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*same, now + LEASE_S, review.drawn, review.drawn_seed, review.position),
    )
    return review


def give_up(connection: sqlite3.Connection, reviewer: str) -> None:
    """Let others have what is in a person's hands."""
    connection.execute("DELETE FROM review_leases WHERE reviewer = ?", (reviewer,))


def all_reviews(connection: sqlite3.Connection) -> Iterator[Review]:
    """Yield every verdict, by image."""
    yield from map(review_of, connection.execute("SELECT * FROM reviews"))
