"""Reads what came back from another page, and writes it into the ledger as verdicts."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from curator.ledger.records.review import Decision, PairKey, Review
from curator.ledger.reviews.browsing import image_path
from curator.ledger.reviews.decisions import put
from curator.ledger.reviews.gathered import has_pair
from curator.review.exchange.argilla import RECORDS, ArgillaRecord
from curator.review.exchange.label_studio import LabelStudioTask
from curator.review.exchange.tasks import Answer, Returned
from curator.review.sample import FAIR
from curator.review.sitting import Said
from shared.errors import InputError

IMPORTED: Final = "imported"
"""How a verdict was drawn that lies beyond the part of the random order that came back whole."""
UNTOLD: Final = "not told"
"""The reason of a rejection that came back without one."""


@dataclass
class Imported:
    """How many verdicts were written, and why others were not.

    ``without_pair`` of them are about what no campaign has: judged away, or edited elsewhere.
    """

    verdicts: int = 0
    unanswered: int = 0
    without_pair: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def read_returned(path: Path) -> list[Returned]:
    """Return the tasks in Label Studio's JSON export, or in Argilla's folder or records file.

    Raises:
        InputError: neither; the message says what was looked for.
    """
    file = path / RECORDS if path.is_dir() else path
    try:
        content = orjson.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{file}: no JSON ({error})") from error
    if not isinstance(content, list) or not content:
        raise InputError(
            f"{file}: give Label Studio's JSON export, or what Argilla's to_disk wrote"
        )
    return [
        _task(entry, f"{file}: entry {number}") for number, entry in enumerate(content, start=1)
    ]


def _task(entry: Any, where: str) -> Returned:  # noqa: ANN401 - what it is, pydantic says
    model = ArgillaRecord if isinstance(entry, dict) and "fields" in entry else LabelStudioTask
    try:
        return model.model_validate(entry).returned()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ": ".join([where, ".".join(map(str, first["loc"]))] if first["loc"] else [where])
        raise InputError(
            f"{place}: {first['msg']}; give a file of tasks that "
            "`curator export --to` wrote, as they came back"
        ) from error


def write_returned(
    connection: sqlite3.Connection, returned: Sequence[Returned], now: float
) -> Imported:
    """Write the answers of ``returned`` in one transaction; return what came of them."""
    told = Imported()
    ours = []
    for task in returned:
        if image_path(connection, task.origin.item) == task.origin.image_path:
            ours.append(task)
        else:
            told.left_out["of images that this ledger does not have"] += 1
    verdicts: dict[tuple[PairKey, str], Review] = {}
    for task, drawn in _as_drawn(ours):
        key = PairKey(task.origin.item, task.question, task.answer)
        told.unanswered += not task.answers
        for answer in task.answers:
            said = Said(answer.reviewer, answer.decision, answer.correction, _reason(answer))
            if said.complaint_about(task.answer):
                told.left_out["corrections that say nothing, the same, or too much"] += 1
                continue
            place = (drawn, task.origin.seed, task.origin.position)
            review = said.review_of(key, answer.at or now, place)
            verdicts[key, review.reviewer] = review
    put(connection, verdicts.values())
    told.verdicts = len(verdicts)
    told.without_pair = sum(not has_pair(connection, review.key) for review in verdicts.values())
    return told


def _as_drawn(tasks: Iterable[Returned]) -> Iterator[tuple[Returned, str]]:
    """Yield tasks with how they were drawn: fairly, up to the first that came back unanswered.

    Who leaves out what is hard would otherwise leave it out of the sample.
    """

    def order(task: Returned) -> tuple[int, int]:
        return task.origin.campaign, task.origin.seed

    for _, group in groupby(
        sorted(tasks, key=lambda task: (order(task), task.origin.position)), key=order
    ):
        drawn = FAIR
        for task in group:
            drawn = drawn if task.answers else IMPORTED
            yield task, drawn


def _reason(answer: Answer) -> str:
    return answer.reason.strip() or (UNTOLD if answer.decision is Decision.REJECTED else "")
