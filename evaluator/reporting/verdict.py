"""What the first screen answers: which run, by how much, is it sure, and what does it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evaluator.comparing.differences import MetricDifference, p_text
from evaluator.comparing.several import Attempt
from evaluator.comparing.significance import CLEAR, Difference
from evaluator.metrics.registry import label
from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.runs.folder import Run
from evaluator.scoring.cost import Cost

_MORE: Final = "More questions would tell."


@dataclass(frozen=True)
class Verdict:
    """Four answers, a sentence each."""

    which: str
    how_much: str
    is_sure: str
    cost: str


@dataclass(frozen=True)
class _Rival:
    """A run beside the best, and what that gains over it.

    Where the two cannot be compared there is no gain, and ``apart`` says why.
    """

    name: str
    gain: Difference | None
    p_holm: float | None
    apart: str = ""

    @property
    def is_beaten(self) -> bool:
        return self.p_holm is not None and self.p_holm < CLEAR


def quoted(name: str) -> str:
    """Return the name of a run as sentences have it."""
    return f"“{name}”"


def verdict(runs: Sequence[Run], attempts: Sequence[Attempt]) -> Verdict:
    """Return what the figures come to; ``attempts`` are the comparisons of all pairs of runs."""
    metric = _metric(runs)
    best = max(runs, key=lambda run: (_wins(run, attempts, metric), _mean(run, metric)))
    figure = best.scorecard.scores.metrics[metric]
    level = f"{label(metric)}: {100 * figure.mean:z.1f} % on {figure.n:,} questions"
    rivals = [_rival(best, run, attempts, metric) for run in runs if run is not best]
    cost = _cost(best, runs)
    if not rivals:
        return Verdict(f"{quoted(best.name)} alone is shown.", f"{level}.", _alone(best), cost)
    which = f"{quoted(best.name)} has the highest {label(metric)}"
    told = "." if all(rival.is_beaten for rival in rivals) else ", but is not clearly the best."
    return Verdict(f"{which}{told}", f"{level}; {_lead(rivals)}.", _sure(rivals), cost)


def _metric(runs: Sequence[Run]) -> str:
    common = [
        name
        for name in runs[0].scorecard.scores.metrics
        if all(name in run.scorecard.scores.metrics for run in runs)
    ]
    names = common or list(runs[0].scorecard.scores.metrics)
    return EXACT_MATCH.name if EXACT_MATCH.name in names else names[0]


def _mean(run: Run, metric: str) -> float:
    figure = run.scorecard.scores.metrics.get(metric)
    return float("-inf") if figure is None else figure.mean


def _wins(run: Run, attempts: Sequence[Attempt], metric: str) -> int:
    """Return over how many runs it is ahead, on the questions that both answered."""
    ahead = 0
    for attempt in attempts:
        measured = _measured(attempt, metric)
        if measured is not None and run.name in {attempt.base, attempt.other}:
            gain = measured.difference.mean
            ahead += (gain if run.name == attempt.other else -gain) > 0
    return ahead


def _measured(attempt: Attempt, metric: str) -> MetricDifference | None:
    metrics = attempt.comparison.metrics if attempt.comparison else ()
    return next((each for each in metrics if each.metric == metric), None)


def _rival(best: Run, other: Run, attempts: Sequence[Attempt], metric: str) -> _Rival:
    for attempt in attempts:
        measured = _measured(attempt, metric)
        if measured is None or {attempt.base, attempt.other} != {best.name, other.name}:
            continue
        gain = measured.difference
        if attempt.base == best.name:
            ci95 = None if gain.ci95 is None else (-gain.ci95[1], -gain.ci95[0])
            gain = Difference(-gain.mean, ci95)
        return _Rival(other.name, gain, measured.p_holm)
    is_scored = metric in other.scorecard.scores.metrics
    apart = (
        "answered other questions, or was measured otherwise" if is_scored else "has no such score"
    )
    return _Rival(other.name, None, None, apart)


def _lead(rivals: Sequence[_Rival]) -> str:
    compared = [rival for rival in rivals if rival.gain is not None]
    if not compared:
        return "it can be compared with no other run"
    nearest = min(compared, key=lambda rival: rival.gain.mean if rival.gain else 0.0)
    gain = nearest.gain
    assert gain is not None
    spread = ""
    if gain.ci95 is not None:
        low, high = gain.ci95
        spread = f" (95 % interval {100 * low:+z.1f} to {100 * high:+z.1f})"
    return f"{100 * gain.mean:+z.1f} points{spread} over the next, {quoted(nearest.name)}"


def _sure(rivals: Sequence[_Rival]) -> str:
    ties = [rival for rival in rivals if rival.gain is not None and not rival.is_beaten]
    apart = " ".join(f"{quoted(rival.name)} {rival.apart}." for rival in rivals if rival.apart)
    if ties:
        names = " or ".join(quoted(rival.name) for rival in ties)
        more = "Every question has the same score." if all(map(_is_same, ties)) else _MORE
        return " ".join(filter(None, (f"No: it is not clearly better than {names}. {more}", apart)))
    if apart:
        return f"Not known for all: {apart}"
    largest = max(rival.p_holm for rival in rivals if rival.p_holm is not None)
    return f"Yes: {p_text(largest)}, corrected for all comparisons."


def _is_same(rival: _Rival) -> bool:
    return rival.gain is not None and rival.gain.mean == 0 and rival.gain.ci95 == (0, 0)


def _alone(run: Run) -> str:
    metric = _metric([run])
    figure = run.scorecard.scores.metrics[metric]
    if figure.ci95 is None:
        return "Unknown: with one picture there is no interval."
    low, high = figure.ci95
    interval = f"95 % interval {100 * low:z.1f} to {100 * high:z.1f}"
    lead = run.scorecard.over_prior.get(metric)
    if lead is None:
        return f"Within its {interval}; without training data nothing says how far guessing gets."
    over = Difference(lead.mean, lead.ci95)
    if over.mean > 0 and over.is_clear:
        return f"Within its {interval}; clearly above a guess without the picture."
    return f"Within its {interval}; not clearly above a guess without the picture."


def _cost(best: Run, runs: Sequence[Run]) -> str:
    told = [(run.name, _words(run.scorecard.cost)) for run in runs if run.scorecard.cost]
    of_best = [words for name, words in told if name == best.name]
    others = [f"{quoted(name)} {words}" for name, words in told if name != best.name]
    if not of_best:
        return "Not known: neither prices nor times were measured."
    beside = f" ({'; '.join(others)})" if others else ""
    return f"For 1,000 answers {of_best[0]}{beside}."


def _words(cost: Cost | None) -> str:
    assert cost is not None
    money = "no price known" if cost.usd_k is None else f"{cost.usd_k:.3g} US dollars"
    return f"{money}, {cost.seconds_k:,.0f} s"
