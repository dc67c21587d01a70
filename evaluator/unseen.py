"""Keeps a run from scoring, in silence, what the model was trained on.

An image counts as trained on when it, another view of its product or a near-identical picture is
among the images that lie beside the weights (``shared.training_images``), whatever it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import structlog

from evaluator.selection import Selection
from evaluator.trained_on import TrainedOn, counted, tell
from shared.fingerprints import Fingerprint, fingerprints, looks_of
from shared.images.source import ImageFiles
from shared.training_images import TRAINING_IMAGES, Recogniser
from shared.units import units_of
from shared.vqa.trained_on import KnownTraining

log = structlog.get_logger(__name__)


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
    tell_unknown(known)
    if known.images is None:
        limited = selection.first_images(limit)
        units, _ = _units(limited, source)
        placed = [replace(pair, unit_id=units[pair.filename]) for pair in limited.pairs]
        return replace(limited, pairs=placed)
    units, prints = _units(selection, source)
    trained = _recognised(Recogniser(known.images.trained_on), units, prints)
    chosen = _recognised(Recogniser(known.images.chosen_by), units, prints) - trained
    marked = [
        replace(pair, trained_on=units[pair.filename] in trained, unit_id=units[pair.filename])
        for pair in selection.pairs
    ]
    counts = counted(marked, trained_on, chosen)
    tell(counts, name)
    if trained_on is TrainedOn.LEFT_OUT:
        marked = [pair for pair in marked if not pair.trained_on]
    return replace(selection, pairs=marked, trained_on=asdict(counts)).first_images(limit)


def tell_unknown(known: KnownTraining) -> None:
    """Name the adapters of which nothing is known, each in one line."""
    for folder in known.unknown:
        log.warning(
            "training_images_unknown",
            adapter=str(folder),
            why=f"it holds no {TRAINING_IMAGES}; nothing tells whether it was trained on what is "
            "asked here",
        )


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
