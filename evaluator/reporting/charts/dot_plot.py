"""Geometry of the dot plot of a metric by groups of questions; the template draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evaluator.scoring.figures import Figure, Group

WIDTH: Final = 760
LEFT: Final = 150
RIGHT: Final = 24
TOP: Final = 14
LINE: Final = 15
"""Height of one contestant's line, in units of the drawing."""
GAP: Final = 16
BAND: Final = 42
"""Least height of a band, so that its name and size fit."""
FOOT: Final = 40
TICKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Dot:
    """One contestant's mean and interval in one band."""

    name: str
    x: float
    y: float
    low_x: float
    high_x: float
    figure: Figure


@dataclass(frozen=True)
class Band:
    """One group of questions."""

    name: str
    n: int
    top: float
    height: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class DotPlot:
    """A drawing of ``width`` by ``height``; ``ticks`` are places and labels on the x axis."""

    metric: str
    width: float
    height: float
    left: float
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]


def dot_plot(metric: str, series: Sequence[tuple[str, Mapping[str, Group]]]) -> DotPlot:
    """Lay out ``metric`` by group; contestants without the metric are left out.

    Args:
        metric: a metric's name, with scores in [0, 1].
        series: contestants with their names and groups, in the order of the first.
    """
    sizes = {name: group.n for _, groups in reversed(series) for name, group in groups.items()}
    order = list(dict.fromkeys(name for _, groups in series for name in groups))
    bands, y = [], float(TOP)
    for name in order:
        height = max(LINE * len(series) + GAP, BAND)
        first = y + (height - LINE * len(series)) / 2
        dots = tuple(
            _dot(index, label, groups[name].metrics[metric], first)
            for index, (label, groups) in enumerate(series)
            if name in groups and metric in groups[name].metrics
        )
        bands.append(Band(name, sizes[name], y, height, dots))
        y += height
    ticks = tuple((_x(value), f"{100 * value:z.0f} %") for value in TICKS)
    return DotPlot(metric, WIDTH, y + FOOT, LEFT, tuple(bands), ticks)


def _dot(index: int, name: str, figure: Figure, top: float) -> Dot:
    low, high = figure.ci95 or (figure.mean, figure.mean)
    y = top + LINE * (index + 0.5)
    return Dot(name, _x(figure.mean), y, _x(low), _x(high), figure)


def _x(value: float) -> float:
    return round(LEFT + value * (WIDTH - LEFT - RIGHT), 1)
