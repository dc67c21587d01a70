"""Which pairs a filter lets through, as SQL; and the functions that such SQL calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from curator.ledger.records.review import NOT_REVIEWED, PairFilter, Shown
from curator.ledger.records.work import WorkState
from shared.questions.types import question_type

_KIND: Final = "question_kind"
_HOLDS: Final = "holds"
_DONE: Final = int(WorkState.DONE)

OPINION: Final = (
    f"CASE WHEN o.question IS NULL THEN '' WHEN o.state != {_DONE} THEN 'waiting' "
    "WHEN o.agrees THEN 'agrees' ELSE 'disagrees' END"
)
"""What a second opinion says; ``o`` is its row."""
MADE_BY: Final = "coalesce(iif(a.model_version = '', a.model, a.model_version), '')"
"""The model that made a pair; ``a`` is the row of its request."""

_SOURCES: Final[Mapping[Shown, str]] = {
    Shown.ACCEPTED: (
        "pairs AS p CROSS JOIN items AS i ON i.id = p.item_id "
        "LEFT JOIN attempts AS a ON a.id = p.attempt_id "
        "LEFT JOIN second_opinions AS o ON o.campaign_id = p.campaign_id "
        "AND o.item_id = p.item_id AND o.question = p.question"
    ),
    Shown.REFUSED: (
        "rejected_pairs AS p CROSS JOIN items AS i ON i.id = p.item_id "
        "LEFT JOIN attempts AS a ON a.id = p.attempt_id"
    ),
    Shown.GIVEN_UP: "work AS p CROSS JOIN items AS i ON i.id = p.item_id",
    Shown.WAITING: "work AS p CROSS JOIN items AS i ON i.id = p.item_id",
}
NUMBERS: Final[Mapping[Shown, str]] = {
    Shown.ACCEPTED: "p.position",
    Shown.REFUSED: "p.id",
    Shown.GIVEN_UP: "0",
    Shown.WAITING: "0",
}
"""What numbers the rows of an image."""
_STATES: Final = {Shown.GIVEN_UP: WorkState.DEAD, Shown.WAITING: WorkState.PENDING}
_REVIEWED: Final = (
    "EXISTS (SELECT 1 FROM reviews AS r WHERE r.item_id = p.item_id "
    "AND r.question = p.question AND r.answer = p.answer{more})"
)


@lru_cache(maxsize=200_000)
def _kind(question: str) -> str:
    return question_type(question)


def _holds(text: str, part: str) -> bool:
    return part in text.casefold()


def teach_conditions(connection: sqlite3.Connection) -> None:
    """Let the SQL of ``Conditions`` run on a connection."""
    connection.create_function(_KIND, 1, _kind, deterministic=True)
    connection.create_function(_HOLDS, 2, _holds, deterministic=True)


@dataclass(frozen=True)
class Conditions:
    """Tables and conditions for ``SELECT ... FROM source WHERE where``, with their parameters.

    The pair is ``p``, its item ``i``. What costs most stands last, for SQLite asks in this order.
    """

    source: str
    where: str
    parameters: Mapping[str, Any]


def conditions_of(wanted: PairFilter) -> Conditions:
    """Return what lets through the rows that ``wanted`` describes."""
    parts = ["p.campaign_id = :campaign_id"]
    parameters: dict[str, Any] = {"campaign_id": wanted.campaign_id}
    if wanted.shown in _STATES:
        parts.append("p.state = :state")
        parameters["state"] = int(_STATES[wanted.shown])
    has_text = wanted.shown not in _STATES
    if wanted.rule and wanted.shown is Shown.REFUSED:
        parts.append("p.rule = :rule")
        parameters["rule"] = wanted.rule
    if wanted.shown is Shown.ACCEPTED:
        _put_pair_conditions(wanted, parts, parameters)
    if has_text:
        _put_text(parts, parameters, "question", wanted.question, "p.question")
        _put_text(parts, parameters, "answer", wanted.answer, "p.answer")
    listing = "i.listing_id || ' ' || i.image_path || ' ' || i.metadata"
    _put_text(parts, parameters, "listing", wanted.listing, listing)
    for number, word in enumerate(wanted.search.split()):
        texts = f"p.question || ' ' || p.answer || ' ' || {listing}" if has_text else listing
        _put_text(parts, parameters, f"word_{number}", word, texts)
    if wanted.model and has_text:
        parts.append("(a.model = :model OR a.model_version = :model)")
        parameters["model"] = wanted.model
    if wanted.kind and has_text:
        parts.append(f"{_KIND}(p.question) = :kind")
        parameters["kind"] = wanted.kind
    return Conditions(_SOURCES[wanted.shown], " AND ".join(parts), parameters)


def _put_pair_conditions(wanted: PairFilter, parts: list[str], parameters: dict[str, Any]) -> None:
    if wanted.agreement:
        parts.append("p.agreement = :agreement")
        parameters["agreement"] = wanted.agreement
    if wanted.style:
        parts.append("p.style = :style")
        parameters["style"] = wanted.style
    if wanted.opinion:
        parts.append(f"{OPINION} = :opinion")
        parameters["opinion"] = "" if wanted.opinion == "none" else wanted.opinion
    if wanted.decision == NOT_REVIEWED:
        parts.append(f"NOT {_REVIEWED.format(more='')}")
    elif wanted.decision or wanted.reviewer:
        more = ""
        for column, value in (("decision", wanted.decision), ("reviewer", wanted.reviewer)):
            if value:
                more += f" AND r.{column} = :{column}"
                parameters[column] = value
        # Reviews are few: their images are found first, and only those pairs are looked at.
        parts.append("p.item_id IN (SELECT item_id FROM reviews)")
        parts.append(_REVIEWED.format(more=more))


def _put_text(
    parts: list[str], parameters: dict[str, Any], name: str, part: str, text: str
) -> None:
    part = part.strip()
    if not part:
        return
    if part.isascii():
        escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        parts.append(f"({text}) LIKE :{name} ESCAPE '\\'")
        parameters[name] = f"%{escaped}%"
    else:
        # SQLite's own LIKE knows no capitals beyond ASCII.
        parts.append(f"{_HOLDS}({text}, :{name})")
        parameters[name] = part.casefold()
