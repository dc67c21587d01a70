"""Keeps a run from scoring, in silence, what the model was trained on.

An image counts as trained on when it, another view of its product or a near-identical picture is
among the images that lie beside the weights (``shared.dataset.training_images``), whatever it is
called. What only the base was pretrained on is scored and told: of most bases nobody can know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evaluator.runs.rows.selection import Selection
from evaluator.runs.rows.trained_on import TrainedOn, counted, tell
from shared.corpus import pairs_digest
from shared.dataset.training_images import TRAINING_IMAGES, Recogniser, TrainingImages
from shared.dataset.units import units_of
from shared.images.fingerprints import Fingerprint, fingerprints, looks_of
from shared.images.source import ImageFiles
from shared.program.reporting.event_log import EventLog
from shared.vqa.trained_on import KnownTraining

log = EventLog(__name__)


def unseen_pairs(
    selection: Selection,
    training: KnownTraining,
    source: ImageFiles,
    *,
    trained_on: TrainedOn,
    limit: int | None,
    name: str,
) -> Selection:
    """Return the pairs to score, each with its unit, and what was left out; say so in one line.

    Args:
        selection: the pairs that were asked for.
        training: the images behind the weights.
        source: where the images are.
        trained_on: what to do with those that the model was trained on.
        limit: how many images to keep of those that remain.
        name: the data, for messages.

    Raises:
        InputError: nothing is left to score.
        StoreUnreachable: nobody knows how an image looks.
    """
    tell_unknown(training)
    images = training.images or TrainingImages()
    asked_sha256 = pairs_digest(selection.pairs)
    if not images.trained_on:  # nothing will be left out, and looking at all may take minutes
        selection = selection.first_images(limit)
    units, prints = _units(selection, source)
    trained = _recognised(Recogniser(images.trained_on), units, prints)
    pretrained = _recognised(Recogniser(images.pretrained_on), units, prints) - trained
    chosen = _recognised(Recogniser(images.chosen_by), units, prints) - trained
    marked = [
        replace(
            pair,
            trained_on=units[pair.filename] in trained,
            pretrained_on=units[pair.filename] in pretrained,
            unit_id=units[pair.filename],
        )
        for pair in selection.pairs
    ]
    scored = [pair for pair in marked if not pair.trained_on or trained_on is TrainedOn.INCLUDED]
    limited = replace(selection, pairs=scored).first_images(limit)
    counts = counted(marked, limited.pairs, trained_on, chosen_by=chosen, asked_sha256=asked_sha256)
    tell(counts, name)
    return limited if training.images is None else replace(limited, trained_on=counts)


def tell_unknown(training: KnownTraining) -> None:
    """Name the adapters of which nothing is known, each in one line."""
    for folder in training.unknown:
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
