"""What goes out and comes back, in no one's format: a pair to be judged, and its answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

from curator.ledger.records.review import Decision, PairFilter, SeenPair
from curator.ledger.reviews.browsing import pairs_at
from curator.ledger.reviews.candidates import Candidate, Draw, Rank, candidates
from curator.review.page.item_pictures import is_inside
from shared.errors import CorruptImage, StoreUnreachable
from shared.images.decoding import read_image_file
from shared.images.thumbnails import thumbnail
from shared.value_class import value_class

PICTURE_PX: Final = 768
LARGEST_ID: Final = 2**62


@value_class
class Task:
    """A pair that is to be judged; ``position`` is its place in the random order of ``seed``."""

    pair: SeenPair
    seed: int
    position: float
    picture: str
    """An address or a data URI; empty where there is no picture."""

    @property
    def proposal(self) -> tuple[Decision, str]:
        """What machines say: accepted, or corrected to the second opinion where that differs."""
        if self.pair.opinion == "disagrees" and self.pair.second_answer:
            return Decision.CORRECTED, self.pair.second_answer
        return Decision.ACCEPTED, ""


class Origin(BaseModel):
    """What goes out with a task and has to come back: which pair it is, and how it was drawn."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    campaign: int = Field(ge=1, le=LARGEST_ID)
    item: int = Field(ge=1, le=LARGEST_ID)
    image_path: str
    seed: int = Field(ge=0, lt=2**31)
    position: float = Field(ge=0, lt=1)

    @classmethod
    def of(cls, task: Task) -> Self:
        """Return that of ``task``."""
        pair = task.pair
        return cls(
            campaign=pair.campaign_id,
            item=pair.place.item_id,
            image_path=pair.image_path,
            seed=task.seed,
            position=task.position,
        )


@value_class
class Answer:
    """What one person said of a pair elsewhere; ``at`` is ``None`` where that was not told."""

    reviewer: str
    decision: Decision
    correction: str = ""
    reason: str = ""
    at: float | None = None


@value_class
class Returned:
    """A task that came back, with the answers that it got, if it got any."""

    origin: Origin
    question: str
    answer: str
    answers: tuple[Answer, ...] = field(default=())


def tasks_to_judge(
    connection: sqlite3.Connection,
    campaign_id: int,
    count: int,
    seed: int,
    *,
    folders: Sequence[Path],
    picture_prefix: str = "",
) -> list[Task]:
    """Return the first ``count`` pairs at random that nobody judged.

    Pictures lie in ``folders`` and go along, unless ``picture_prefix`` says where they are served.
    """
    found: list[Candidate] = []
    after: Rank | None = Rank()
    while after is not None and len(found) < count:
        more, after = candidates(connection, PairFilter(campaign_id), Draw(seed=seed), after)
        found += more
    found = found[:count]
    pairs = pairs_at(connection, campaign_id, [candidate.key for candidate in found])
    return [
        Task(
            pairs[candidate.key],
            seed,
            candidate.rank.position,
            _picture(pairs[candidate.key].image_path, folders, picture_prefix),
        )
        for candidate in found
        if candidate.key in pairs
    ]


def _picture(name: str, folders: Sequence[Path], prefix: str) -> str:
    if prefix:
        return f"{prefix.rstrip('/')}/{name}"
    if not is_inside(name):
        return ""
    for folder in folders:
        try:
            return thumbnail(read_image_file(folder / name), name, PICTURE_PX).uri
        except (CorruptImage, StoreUnreachable):
            continue
    return ""
