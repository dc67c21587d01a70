"""What a card tells of scores: figures, as they are known or as a scorecard's file has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import ConfigDict

from shared.corpus import read_json
from shared.errors import InputError
from shared.hub.place import place_of
from shared.program.settings import Settings, validated
from shared.value_class import value_class

SCORECARD_FILE: Final = "scorecard.json"
_ON_THE_HUB: Final = "hf://datasets/"


@value_class
class CardFigure:
    """What a metric came to over ``n`` questions of some data; ``ci95`` is a 95 % interval.

    ``data`` is what the data is called, ``data_id`` its name on the hub where it came from there.
    Of its ``images``, the model had seen at least ``seen_images`` in training: 0 for none, or none
    that is known.
    """

    metric: str
    value: float
    n: int
    data: str
    split: str = ""
    data_id: str = ""
    ci95: tuple[float, float] | None = None
    signature: str = ""
    images: int = 0
    seen_images: int = 0


@value_class
class ScoredModel:
    """The figures of a scorecard, and whose they are.

    ``weights`` tells who answered from others: the adapter's hash, or without one the model's
    revision; "" where nobody knows. ``model`` is what the model was called.
    """

    figures: tuple[CardFigure, ...]
    weights: str
    model: str


class _Figure(Settings):
    model_config = ConfigDict(extra="ignore")

    mean: float
    n: int
    ci95: tuple[float, float] | None = None


class _File(Settings):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=True)

    metrics: Mapping[str, _Figure]
    signatures: Mapping[str, str] = {}
    provenance: Mapping[str, Any] = {}


def read_scored_model(place: Path) -> ScoredModel:
    """Return the figures of a scorecard: of a run folder, or of its file.

    Raises:
        InputError: there is none, or it has no figures.
    """
    path = place / SCORECARD_FILE if place.is_dir() else place
    if not path.is_file():
        raise InputError(
            f"{place}: no scorecard; give the folder of a finished `evaluator run`, or its "
            f"{SCORECARD_FILE}"
        )
    card = validated(_File, read_json(path), source=str(path))
    if not card.metrics:
        raise InputError(f"{path}: no metric has a figure; score the run again")
    known = card.provenance
    images, seen_images = _seen(known)
    data = _text(known, "data") or _text(known, "references_from") or _text(known, "predictions")
    return ScoredModel(
        tuple(
            CardFigure(
                name,
                figure.mean,
                figure.n,
                data=PurePosixPath(data).name or "unnamed data",
                split=_text(known, "split"),
                data_id=place_of(data).name if data.startswith(_ON_THE_HUB) else "",
                ci95=figure.ci95,
                signature=card.signatures.get(name, ""),
                images=images,
                seen_images=seen_images,
            )
            for name, figure in card.metrics.items()
            if math.isfinite(figure.mean)
        ),
        weights=_text(known, "adapter_sha256") or _text(known, "revision"),
        model=_text(known, "model"),
    )


def _seen(known: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many images were scored, and how many of them the model had been trained on."""
    facts = known.get("trained_on")
    if not isinstance(facts, Mapping):
        return 0, 0
    scored, pretrained_on, trained_on = (
        value if isinstance(value := facts.get(name), int) else 0
        for name in ("scored", "pretrained_on", "images")
    )
    return scored, max(pretrained_on, trained_on if facts.get("became") == "included" else 0)


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""
