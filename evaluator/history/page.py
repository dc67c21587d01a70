"""The history as one HTML page, complete in itself; the network is asked for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluator.history.history import DataHistory, History
from evaluator.history.leaderboard import Place
from evaluator.history.tables import gain_text, interval_text, place_text
from evaluator.metrics.registry import label
from shared.files.atomic import atomic_path

_TEMPLATES: Final = Path(__file__).with_name("templates")
_WIDTH: Final = 300
"""Of a drawn interval, in units of the drawing."""


@dataclass(frozen=True)
class _Drawn:
    """Where a place's mean and interval lie on the common scale of its leaderboard."""

    place: Place
    x: float
    low_x: float
    high_x: float


def write_history(history: History, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("history.html.j2").render(
        history=history,
        drawn={index: _drawn(of_data) for index, of_data in enumerate(history.data)},
        width=_WIDTH,
        label=label,
        gain_text=gain_text,
        interval_text=interval_text,
        place_text=place_text,
    )
    with atomic_path(path) as part:
        part.write_text(html, encoding="utf-8")


def _drawn(of_data: DataHistory) -> Sequence[_Drawn]:
    ends = [
        bound
        for place in of_data.places
        for bound in (place.figure.mean, *(place.figure.ci95 or ()))
    ]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(8 + (value - low) / span * (_WIDTH - 16), 1)

    return [
        _Drawn(place, x(place.figure.mean), *map(x, place.figure.ci95 or (place.figure.mean,) * 2))
        for place in of_data.places
    ]
