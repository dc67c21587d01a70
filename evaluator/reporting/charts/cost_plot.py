"""Geometry of exact match against what a thousand answers take; the template draws it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.runs.folder import Run
from evaluator.scoring.cost import Cost
from evaluator.scoring.figures import Figure

WIDTH: Final = 760
HEIGHT: Final = 340
LEFT: Final = 62
RIGHT: Final = 40
TOP: Final = 16
FOOT: Final = 52
_LOGARITHMIC_FROM: Final = 8.0
"""So many times the cheapest, and the others would stick to the left edge of a plain scale."""
_MOST_TICKS: Final = 6


@dataclass(frozen=True)
class Place:
    """One run: where its mean stands, and its interval."""

    name: str
    x: float
    y: float
    low_y: float
    high_y: float
    figure: Figure
    amount: float


@dataclass(frozen=True)
class CostPlot:
    """A drawing; ``ticks`` are places on the x axis with their labels, ``unit`` what they count."""

    unit: str
    places: tuple[Place, ...]
    ticks: tuple[tuple[float, str], ...]
    rows: tuple[tuple[float, str], ...]
    width: float = WIDTH
    height: float = HEIGHT


def cost_plot(runs: Sequence[Run]) -> CostPlot | None:
    """Draw money where at least two runs have a price, else time; ``None`` where neither."""
    kinds: list[tuple[str, Callable[[Cost], float | None]]] = [
        ("US dollars for 1,000 answers", lambda cost: cost.usd_k),
        ("seconds for 1,000 answers", lambda cost: cost.seconds_k),
    ]
    for unit, amount_of in kinds:
        known = [
            (run, amount)
            for run in runs
            if run.scorecard.cost is not None
            and EXACT_MATCH.name in run.scorecard.scores.metrics
            and (amount := amount_of(run.scorecard.cost))
        ]
        if len(known) > 1:
            return _drawn(unit, known)
    return None


def _drawn(unit: str, known: Sequence[tuple[Run, float]]) -> CostPlot:
    amounts = [amount for _, amount in known]
    scale, ticks = _scale(min(amounts), max(amounts))
    places = []
    for run, amount in known:
        figure = run.scorecard.scores.metrics[EXACT_MATCH.name]
        low, high = figure.ci95 or (figure.mean, figure.mean)
        places.append(
            Place(run.name, scale(amount), _y(figure.mean), _y(low), _y(high), figure, amount)
        )
    return CostPlot(
        unit,
        tuple(places),
        tuple((scale(tick), f"{tick:g}") for tick in ticks),
        tuple((_y(share / 5), f"{20 * share} %") for share in range(6)),
    )


def _scale(low: float, high: float) -> tuple[Callable[[float], float], list[float]]:
    """Return where an amount stands, and which are marked: from nothing on, or by powers of ten."""
    room = WIDTH - LEFT - RIGHT
    if high < _LOGARITHMIC_FROM * low:
        step = _step(high / (_MOST_TICKS - 1))
        most = step * math.ceil(high / step)
        count = round(most / step)
        return (
            lambda amount: round(LEFT + room * amount / most, 1),
            [step * tick for tick in range(count + 1)],
        )
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return (
        lambda amount: round(LEFT + room * (math.log10(amount) - first) / (last - first), 1),
        [10.0**power for power in range(first, last + 1)],
    )


def _step(least: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is no less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least * 0.999)


def _y(share: float) -> float:
    return round(HEIGHT - FOOT - share * (HEIGHT - FOOT - TOP), 1)
