"""Keeps a run from scoring, in silence, what the model was trained on.

An image counts as trained on when it, another view of its product or a near-identical picture is
among the images that lie beside the weights (``shared.training_images``), whatever it is called.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import structlog

from evaluator.selection import Selection
from shared.corpus import pairs_digest
from shared.errors import InputError
from shared.fingerprints import Fingerprint, fingerprints, looks_of
from shared.images.source import ImageFiles
from shared.records import QAPair
from shared.training_images import Recogniser
from shared.units import units_of
from shared.vqa.trained_on import KnownTraining

log = structlog.get_logger(__name__)


class TrainedOn(StrEnum):
    """What becomes of images that the model was trained on."""

    LEFT_OUT = "left out"
    INCLUDED = "included"


@dataclass(frozen=True)
class Unseen:
    """How many of the images and rows that were asked for the model was trained on.

    It goes into the run's settings and its scorecard.

    ``became`` is what was done with them. ``chosen_by`` counts images that stayed and by which an
    epoch was chosen. ``asked_sha256`` is the digest of all rows that were asked for.
    """

    became: TrainedOn
    images: int
    of_images: int
    rows: int
    of_rows: int
    chosen_by: int
    asked_sha256: str


def unseen_pairs(
    selection: Selection,
    known: KnownTraining,
    source: ImageFiles,
    *,
    trained_on: TrainedOn,
    limit: int | None,
    name: str,
) -> Selection:
    """Return the pairs to score, each with its unit, and what was left out; say so in one line.

    Args:
        selection: the pairs that were asked for.
        known: the images behind the weights.
        source: where the images are.
        trained_on: what to do with those that the model was trained on.
        limit: how many images to keep of those that remain.
        name: the data, for messages.

    Raises:
        InputError: nothing is left to score.
        StoreUnreachable: nobody knows how an image looks.
    """
    for folder in known.unknown:
        log.warning(
            "training_images_unknown",
            adapter=str(folder),
            why="it holds no training_images.parquet; whether it was trained on what is scored "
            "here, nothing tells",
        )
    if known.images is None:
        limited = selection.first_images(limit)
        units, _ = _units(limited, source)
        placed = [replace(pair, unit_id=units[pair.filename]) for pair in limited.pairs]
        return replace(limited, pairs=placed)
    units, prints = _units(selection, source)
    trained = _recognised(Recogniser(known.images.trained_on), units, prints)
    chosen = _recognised(Recogniser(known.images.chosen_by), units, prints) - trained
    unseen = _counted(selection.pairs, units, trained, chosen, trained_on)
    _tell(unseen, name)
    marked = [
        replace(pair, trained_on=units[pair.filename] in trained, unit_id=units[pair.filename])
        for pair in selection.pairs
    ]
    if trained_on is TrainedOn.LEFT_OUT:
        marked = [pair for pair in marked if not pair.trained_on]
    return replace(selection, pairs=marked, trained_on=asdict(unseen)).first_images(limit)


def _units(
    selection: Selection, source: ImageFiles
) -> tuple[Mapping[str, str], Mapping[str, Fingerprint]]:
    """Return the unit of each image that a chosen pair's product has, and the fingerprints."""
    by_product = units_of(selection.everything)
    asked = {by_product[pair.filename] for pair in selection.pairs}
    related = [pair for pair in selection.everything if by_product[pair.filename] in asked]
    prints = fingerprints(source, (pair.filename for pair in related))
    return units_of(related, looks_of(prints)), prints


def _recognised(
    recogniser: Recogniser, units: Mapping[str, str], prints: Mapping[str, Fingerprint]
) -> set[str]:
    """Return the units of which at least one image is known."""
    return {units[name] for name, fingerprint in prints.items() if recogniser.knows(fingerprint)}


def _counted(
    pairs: Sequence[QAPair],
    units: Mapping[str, str],
    trained: Collection[str],
    chosen: Collection[str],
    became: TrainedOn,
) -> Unseen:
    seen = [pair for pair in pairs if units[pair.filename] in trained]
    return Unseen(
        became=became,
        images=len({pair.filename for pair in seen}),
        of_images=len({pair.filename for pair in pairs}),
        rows=len(seen),
        of_rows=len(pairs),
        chosen_by=len({pair.filename for pair in pairs if units[pair.filename] in chosen}),
        asked_sha256=pairs_digest(pairs),
    )


def _tell(unseen: Unseen, name: str) -> None:
    """Say what was left out or taken in.

    Raises:
        InputError: nothing is left.
    """
    if unseen.became is TrainedOn.LEFT_OUT and unseen.rows == unseen.of_rows:
        raise InputError(
            f"{name}: the model was trained on all of the {unseen.of_images:,} images, or on other "
            "views of their products, so that no score would be honest; give data that it has not "
            "seen, or --include-trained-on to score them all the same"
        )
    if unseen.rows:
        log.warning(
            "images_trained_on",
            data=name,
            became=unseen.became.value,
            images=f"{unseen.images:,} of {unseen.of_images:,}",
            rows=f"{unseen.rows:,} of {unseen.of_rows:,}",
        )
    if unseen.chosen_by:
        log.warning(
            "images_that_chose_the_epoch",
            data=name,
            images=f"{unseen.chosen_by:,} of {unseen.of_images:,}",
            why="they were validated on, so the score on them is a little too good",
        )
