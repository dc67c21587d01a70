"""How many of the rows that were asked for the model was trained on, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import InputError
from shared.program.reporting.event_log import EventLog
from shared.records import QAPair

log = EventLog(__name__)


class TrainedOn(StrEnum):
    """What becomes of images that the model was trained on."""

    LEFT_OUT = "left out"
    INCLUDED = "included"


@dataclass(frozen=True)
class Counts:
    """How many of the images and rows that were asked for the model was trained on.

    It goes into the run's settings and its scorecard.

    ``became`` is what was done with them. Of the ``scored`` images, an epoch was chosen by
    ``chosen_by``, and only the base was pretrained on ``pretrained_on``. ``asked_sha256`` is the
    digest of all rows that were asked for.
    """

    became: TrainedOn
    images: int
    of_images: int
    rows: int
    of_rows: int
    scored: int
    chosen_by: int
    pretrained_on: int
    asked_sha256: str


def counted(
    asked: Sequence[QAPair],
    scored: Sequence[QAPair],
    became: TrainedOn,
    *,
    asked_sha256: str,
    chosen_by: Collection[str] = (),
) -> Counts:
    """Count rows of which each says whether it was trained on; ``chosen_by`` are units."""
    seen = [pair for pair in asked if pair.trained_on]
    return Counts(
        became=became,
        images=_images(seen),
        of_images=_images(asked),
        rows=len(seen),
        of_rows=len(asked),
        scored=_images(scored),
        chosen_by=_images(pair for pair in scored if pair.unit_id in chosen_by),
        pretrained_on=_images(pair for pair in scored if pair.pretrained_on),
        asked_sha256=asked_sha256,
    )


def _images(pairs: Iterable[QAPair]) -> int:
    return len({pair.filename for pair in pairs})


def tell(counts: Counts, name: str) -> None:
    """Say what was left out or taken in.

    Raises:
        InputError: nothing is left.
    """
    if counts.became is TrainedOn.LEFT_OUT and counts.rows == counts.of_rows:
        raise InputError(
            f"{name}: the model was trained on all of the {counts.of_images:,} images, or on other "
            "views of their products, so that no score would be honest; give data that it has not "
            "seen, or --include-trained-on to score them all the same"
        )
    if counts.rows:
        log.warning(
            "images_trained_on",
            data=name,
            became=counts.became.value,
            images=f"{counts.images:,} of {counts.of_images:,}",
            rows=f"{counts.rows:,} of {counts.of_rows:,}",
        )
    if counts.chosen_by:
        log.warning(
            "images_that_chose_the_epoch",
            data=name,
            images=f"{counts.chosen_by:,} of {counts.scored:,}",
            why="they were validated on, so the score on them is a little too good",
        )
    if counts.pretrained_on:
        log.warning(
            "images_pretrained_on",
            data=name,
            images=f"{counts.pretrained_on:,} of {counts.scored:,}",
            became="scored",
            why="the base was pretrained on them, so on them this is no score on unseen images",
        )
