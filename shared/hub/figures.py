"""What a card tells of scores: figures, as they are known or as a scorecard's file has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import ConfigDict

from shared.corpus import read_json
from shared.errors import InputError
from shared.hub.place import place_of
from shared.program.settings import Settings, validated

SCORECARD_FILE: Final = "scorecard.json"
_ON_THE_HUB: Final = "hf://datasets/"


@dataclass(frozen=True, slots=True)
class CardFigure:
    """What a metric came to over ``n`` questions of some data; ``ci95`` is a 95 % interval.

    ``data`` is what the data is called, ``data_id`` its name on the hub where it came from there.
    """

    metric: str
    value: float
    n: int
    data: str
    split: str = ""
    data_id: str = ""
    ci95: tuple[float, float] | None = None
    signature: str = ""


@dataclass(frozen=True, slots=True)
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
            )
            for name, figure in card.metrics.items()
            if math.isfinite(figure.mean)
        ),
        weights=_text(known, "adapter_sha256") or _text(known, "revision"),
        model=_text(known, "model"),
    )


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""
