"""Which pairs a person is to look at next, in four orders.

The random order is a permutation that the seed alone decides. Its first pairs are a simple random
sample of what the filter lets through, whoever looks at them and however often it is begun again.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from curator.ledger.records.review import Decision, PairFilter, PairKey
from curator.ledger.reviews.conditions import conditions_of, teach_conditions
from shared.questions.types import question_type
from shared.value_class import value_class

AT_ONCE: Final = 1_000
"""Candidates that are looked up together."""
LOOKED_AT_BY_TYPE: Final = 20_000
"""Pairs at random among which the types take turns: a type of one pair in a hundred is there."""

_PRIME: Final = 2**31 - 1
_MIXED: Final = f"(({{0}}) * ({{0}}) + ({{0}}) * {{1}} + {{2}}) % {_PRIME}"


def _position(item: str, number: str) -> str:
    """Return the SQL of a pair's position in the random order of ``:seed``, in [0, 1).

    Quadratic steps modulo a Mersenne prime, in integers that SQLite multiplies without overflow;
    without a function of Python's, two million pairs take a second.
    """
    start = f"(({item} * 64 + {number} + 1) * 48271 + :seed * 69621) % {_PRIME}"
    once = _MIXED.format(start, 950_706_376, 12_345)
    return f"({_MIXED.format(once, 742_938_285, 67_891)}) / {_PRIME}.0"


POSITION: Final = _position("p.item_id", "p.position")


class Order(StrEnum):
    """In which order pairs come to people."""

    RANDOM = "random"
    DISAGREEMENT = "disagreement"
    """Those of which the second opinion says otherwise."""
    AGREEMENT = "agreement"
    """Those that the listing or the second opinion contradicts, both first."""
    TYPE = "type"
    """At random, each question type in turn."""


@value_class
class Draw:
    """How pairs come to people: in which order, by which seed, and the share that two look at.

    ``is_of_all`` says that no filter chose among the pairs of the campaign. ``only`` are the
    images, by path, and questions of the pairs that are looked at, where somebody named them.
    """

    order: Order = Order.RANDOM
    seed: int = 0
    double: float = 0.0
    is_of_all: bool = True
    only: frozenset[tuple[str, str]] | None = None

    @property
    def name(self) -> str:
        """What is kept of it with each verdict: only "random" tells of a fair sample."""
        is_of_all = self.is_of_all and self.only is None
        return self.order.value if is_of_all else f"{self.order.value} of some"


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """Where a candidate stands in its order: classes of urgency, each at random."""

    urgency: int = -1
    position: float = -1.0
    item_id: int = 0
    number: int = -1


@value_class
class Candidate:
    """A pair that is to be looked at."""

    rank: Rank
    key: PairKey

    def people(self, double: float) -> int:
        """Return how many people are to look at it, where two look at the share ``double``.

        What decides it does not depend on what decides when the pair comes.
        """
        return 2 if round(self.rank.position * _PRIME) * 16_807 % _PRIME / _PRIME < double else 1


_CONTRADICTED: Final = "(o.state = 1 AND o.agrees = 0)"
_URGENCY: Final = {
    Order.RANDOM: ("0", ""),
    Order.TYPE: ("0", ""),
    Order.DISAGREEMENT: ("0", f" AND {_CONTRADICTED}"),
    Order.AGREEMENT: (
        f"CASE WHEN p.agreement = 'disagrees' AND {_CONTRADICTED} THEN 0 ELSE 1 END",
        f" AND (p.agreement = 'disagrees' OR {_CONTRADICTED})",
    ),
}
"""The SQL of a pair's class, lowest first, and the condition under which it is a candidate."""
_NAMED: Final = (
    " AND (i.image_path, p.question) IN (SELECT json_extract(value, '$[0]'), "
    "json_extract(value, '$[1]') FROM json_each(:only))"
)
"""The SQL condition under which a pair is one that somebody named."""


def candidates(
    connection: sqlite3.Connection, wanted: PairFilter, draw: Draw, after: Rank
) -> tuple[list[Candidate], Rank | None]:
    """Return candidates after ``after`` that still need people, and where further ones begin.

    ``None`` where there are no further ones.
    """
    teach_conditions(connection)
    conditions = conditions_of(wanted)
    urgency, condition = _URGENCY[draw.order]
    condition += "" if draw.only is None else _NAMED
    decided = _decided(connection)
    limit = (LOOKED_AT_BY_TYPE if draw.order is Order.TYPE else AT_ONCE) + len(decided)
    rows = connection.execute(
        f"SELECT {urgency} AS urgency, {POSITION} AS drawn_at, p.item_id, p.position, p.question, "  # noqa: S608
        f"p.answer FROM {conditions.source} WHERE {conditions.where}{condition} "
        "AND (urgency, drawn_at, p.item_id, p.position) > (:urgency, :drawn_at, :item, :number) "
        "ORDER BY urgency, drawn_at, p.item_id, p.position LIMIT :limit",
        {
            **conditions.parameters,
            "seed": draw.seed,
            "urgency": after.urgency,
            "drawn_at": after.position,
            "item": after.item_id,
            "number": after.number,
            "limit": limit,
            **({} if draw.only is None else {"only": json.dumps(sorted(draw.only))}),
        },
    )
    found = [
        Candidate(Rank(row[0], row[1], row[2], row[3]), PairKey(row[2], row[4], row[5]))
        for row in rows
    ]
    rest = found[-1].rank if len(found) == limit else None
    needed = [each for each in found if decided[each.key] < each.people(draw.double)]
    return (_in_turns(needed) if draw.order is Order.TYPE else needed), rest


def count_named(connection: sqlite3.Connection, only: frozenset[tuple[str, str]]) -> int:
    """Return how many of the named images and questions are pairs of the ledger."""
    (count,) = connection.execute(
        "SELECT count(*) FROM (SELECT DISTINCT p.item_id, p.question FROM pairs AS p "  # noqa: S608
        f"JOIN items AS i ON i.id = p.item_id WHERE 1{_NAMED})",
        {"only": json.dumps(sorted(only))},
    ).fetchone()
    return int(count)


def _decided(connection: sqlite3.Connection) -> Counter[PairKey]:
    """Return how many people decided about each pair; who skipped it did not."""
    rows = connection.execute(
        "SELECT item_id, question, answer, count(*) FROM reviews WHERE decision != ? "
        "GROUP BY 1, 2, 3",
        (Decision.SKIPPED.value,),
    )
    return Counter({PairKey(row[0], row[1], row[2]): row[3] for row in rows})


def _in_turns(found: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates, one of each question type in turn as long as it has any."""
    by_type: defaultdict[str, deque[Candidate]] = defaultdict(deque)
    for candidate in found:
        by_type[question_type(candidate.key.question)].append(candidate)
    turns: list[Candidate] = []
    waiting: Sequence[deque[Candidate]] = [by_type[name] for name in sorted(by_type)]
    while waiting:
        turns += [queue.popleft() for queue in waiting]
        waiting = [queue for queue in waiting if queue]
    return turns


def position_of(
    connection: sqlite3.Connection, campaign_id: int, key: PairKey, seed: int
) -> float | None:
    """Return a pair's position in the random order of ``seed``; ``None`` if it is gone."""
    row = connection.execute(
        f"SELECT {POSITION} FROM pairs AS p WHERE p.campaign_id = :campaign "  # noqa: S608
        "AND p.item_id = :item AND p.question = :question AND p.answer = :answer",
        {
            "campaign": campaign_id,
            "item": key.item_id,
            "question": key.question,
            "answer": key.answer,
            "seed": seed,
        },
    ).fetchone()
    return None if row is None else float(row[0])
