"""Geometry of what a score loses under each change; the template draws it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.reporting.charts.dot_plot import BAND, FOOT, GAP, LEFT, LINE, RIGHT, TOP, WIDTH, Dot
from evaluator.runs.folder import Run
from evaluator.scoring.figures import Figure

_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MOST_STEPS: Final = 8


@dataclass(frozen=True)
class DropBand:
    """One change: what it does, and what each run loses under it."""

    name: str
    says: str
    top: float
    height: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class DropsPlot:
    """A drawing; ``ticks`` are places and labels on the x axis, ``zero_x`` is no loss."""

    metric: str
    bands: tuple[DropBand, ...]
    ticks: tuple[tuple[float, str], ...]
    zero_x: float
    height: float
    width: float = WIDTH


def drops_plot(runs: Sequence[Run]) -> DropsPlot | None:
    """Lay out what exact match, else the first metric, loses; ``None`` where no run was changed."""
    # Changes of one name that were made differently are different changes.
    changes = dict.fromkeys(
        (name, each.signature) for run in runs for name, each in run.scorecard.robustness.items()
    )
    if not changes:
        return None
    metrics = [metric for run in runs for metric in run.scorecard.scores.metrics]
    metric = EXACT_MATCH.name if EXACT_MATCH.name in metrics else metrics[0]
    lost = {change: _lost(runs, *change, metric) for change in changes}
    scale = _Scale.of([figure for several in lost.values() for _, figure in several])
    bands, y = [], float(TOP)
    for (name, signature), several in lost.items():
        height = max(LINE * len(several) + GAP, BAND)
        start = y + (height - LINE * len(several)) / 2
        dots = tuple(
            scale.dot(who, figure, start + LINE * (place + 0.5))
            for place, (who, figure) in enumerate(several)
        )
        bands.append(DropBand(name, signature.partition("|")[0], y, height, dots))
        y += height
    return DropsPlot(metric, tuple(bands), scale.ticks, scale.x(0.0), y + FOOT)


def _lost(
    runs: Sequence[Run], change: str, signature: str, metric: str
) -> list[tuple[str, Figure]]:
    """Return what each run loses under a change, where it is known."""
    changed = [(run.name, run.scorecard.robustness.get(change)) for run in runs]
    return [
        (name, of.drop[metric])
        for name, of in changed
        if of is not None and of.signature == signature and metric in of.drop
    ]


@dataclass(frozen=True)
class _Scale:
    """From ``first`` to ``last`` steps, zero among them."""

    step: float
    first: int
    last: int

    @classmethod
    def of(cls, figures: Sequence[Figure]) -> _Scale:
        """Return one that all means and intervals fit on."""
        ends = [end for figure in figures for end in (figure.mean, *(figure.ci95 or ()))]
        low, high = min([0.0, *ends]), max([0.01, *ends])
        step = next((each for each in _STEPS if (high - low) / each <= _MOST_STEPS), _STEPS[-1])
        return cls(step, math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9))

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Return the places of the steps, and what they are in points."""
        steps = range(self.first, self.last + 1)
        return tuple((self.x(n * self.step), f"{100 * n * self.step:z.0f}") for n in steps)

    def x(self, value: float) -> float:
        """Return where a value stands."""
        share = (value / self.step - self.first) / (self.last - self.first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def dot(self, name: str, figure: Figure, y: float) -> Dot:
        """Return where a run's loss stands."""
        low, high = figure.ci95 or (figure.mean, figure.mean)
        return Dot(name, self.x(figure.mean), y, self.x(low), self.x(high), figure)
