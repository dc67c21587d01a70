"""What a catalogue's first pictures look like, by which it is said what is not worth asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from statistics import median
from typing import Any, Final

from rich.text import Text

from curator.catalog import Catalog, Skipped
from shared.errors import CorruptImage, StoreUnreachable
from shared.images.decoding import opened_image, read_image_file
from shared.images.fitness import Fitness, Looks, looks_of
from shared.program.reporting.progress import report_progress

SAMPLED: Final = 100
_MEASURES: Final = {
    "shorter_px": "shorter side in pixels",
    "contrast": "contrast",
    "sharpness": "sharpness",
}


def sampled_looks(catalog: Catalog) -> dict[str, Looks]:
    """Return what the first ``SAMPLED`` pictures that can be read look like, by path."""
    # Several listings in a row may share one.
    first = islice(catalog.listings(Skipped()), 10 * SAMPLED)
    names = list(dict.fromkeys(listing.image.path for listing in first))[:SAMPLED]
    looks = {}
    with report_progress("looking at pictures", len(names)) as progress:
        for name in names:
            path = catalog.images_dir / name
            with (
                suppress(CorruptImage, StoreUnreachable),
                opened_image(read_image_file(path), str(path)) as image,
            ):
                looks[name] = looks_of(image)
            progress.advance()
    return looks


def pictures_object(looks: Mapping[str, Looks], wanted: Fitness) -> dict[str, Any]:
    """Return the least, usual and largest of each measure, and which pictures lack what."""
    unfit: dict[str, list[str]] = {}
    for name, each in looks.items():
        if reason := wanted.unfit_because(each):
            unfit.setdefault(reason, []).append(name)
    return {
        "looked_at": len(looks),
        **{name: _span([getattr(each, name) for each in looks.values()]) for name in _MEASURES},
        "unfit": [
            {"reason": reason, "count": len(names), "first": names[0]}
            for reason, names in unfit.items()
        ],
    }


def _span(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"least": min(values), "median": median(values), "most": max(values)}


def pictures_view(pictures: Mapping[str, Any]) -> list[Text]:
    """Return the object of ``pictures_object`` as lines for a terminal."""
    if not pictures["looked_at"]:
        return []
    spans = (
        f"{words} {span['least']:.3g} to {span['most']:.3g} (median {span['median']:.3g})"
        for name, words in _MEASURES.items()
        if (span := pictures[name])
    )
    lines = [f"The first {pictures['looked_at']} pictures: {', '.join(spans)}."]
    lines += [
        f"Of them, {each['count']} would be left out as {each['reason']} (first: {each['first']})."
        for each in pictures["unfit"]
    ]
    return list(map(Text, lines))
