"""What the figures say, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evaluator.comparing.pairing import exact_match_gain, pair_rows
from evaluator.comparing.several import Attempt
from evaluator.comparing.side_by_side import label_notes, trained_on_notes
from evaluator.comparing.significance import Difference
from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.reporting.charts.reliability import reliability
from evaluator.reporting.verdict import quoted
from evaluator.runs.folder import Run
from evaluator.scoring.figures import Figure
from shared.dataset.units import counted


def findings(runs: Sequence[Run], attempts: Sequence[Attempt] = ()) -> list[str]:
    """Return sentences about exact match: the last run, its gain, and what needs care.

    ``attempts`` are comparisons that are made already.
    """
    last = runs[-1]
    sentences = [_level(last)] if EXACT_MATCH.name in last.scorecard.scores.metrics else []
    sentences += [_blind(last)] if EXACT_MATCH.name in last.scorecard.over_shuffled else []
    sentences += _robustness(last)
    sentences += [_gain(runs[0], other, attempts) for other in runs[1:]]
    sentences += _confidence(last)
    sentences += [_broken(run) for run in runs if run.scorecard.broken_images]
    sentences += [_failed(run) for run in runs if run.scorecard.failed_answers]
    sentences += [_unsure(run) for run in runs if _tells_no_confidence(run)]
    sentences += [_about(run, note) for run in runs for note in label_notes(run.scorecard)]
    sentences += [_about(run, note) for run in runs for note in trained_on_notes(run.scorecard)]
    return sentences


def _about(run: Run, note: str) -> str:
    return f"About {quoted(run.name)}: {note}"


def _level(run: Run) -> str:
    figure = run.scorecard.scores.metrics[EXACT_MATCH.name]
    text = (
        f"Of {figure.n:,} questions, {quoted(run.name)} answers {_percent(figure.mean)} exactly"
        f"{_interval(figure)}"
    )
    prior = run.scorecard.prior
    if prior is None:
        return f"{text}. No training data was given, so nothing says how far guessing gets."
    guess = prior.metrics[EXACT_MATCH.name]
    lead = run.scorecard.over_prior[EXACT_MATCH.name]
    over = Difference(lead.mean, lead.ci95)
    if over.mean > 0 and over.is_clear:
        return (
            f"{text}, {_more_or_less(over)} than a guess that never sees the picture, which "
            f"reaches {_percent(guess.mean)}."
        )
    return (
        f"{text}. A guess from the question alone reaches {_percent(guess.mean)}: these "
        "figures do not show that the model looks at the picture."
    )


def _blind(run: Run) -> str:
    scorecard = run.scorecard
    lead = scorecard.over_shuffled[EXACT_MATCH.name]
    gain = Difference(lead.mean, lead.ci95)
    blind = scorecard.shuffled
    level = blind.metrics[EXACT_MATCH.name].mean if blind is not None else 0.0
    still = f"{quoted(run.name)} still gets {_percent(level)} right"
    shown = f"Shown the picture of another question, {still}"
    if gain.mean > 0 and gain.is_clear:
        return f"{shown}: {_points_of(gain)} of its score need the right picture."
    return f"{shown}: it does not clearly need the right one ({_points(gain)})."


def _robustness(run: Run) -> list[str]:
    """Return which change costs most exact match, and whether any clearly costs some."""
    drops = {
        name: each.drop[EXACT_MATCH.name]
        for name, each in run.scorecard.robustness.items()
        if EXACT_MATCH.name in each.drop
    }
    if not drops:
        return []
    worst = max(drops, key=lambda name: drops[name].mean)
    lost = Difference(drops[worst].mean, drops[worst].ci95)
    if lost.mean > 0 and lost.is_clear:
        words = run.scorecard.robustness[worst].signature.partition("|")[0]
        most = f"{worst} ({words}) costs {quoted(run.name)} most: {_points_of(lost)}"
        return [f"Of {counted(len(drops), 'change')} of pictures or questions, {most}."]
    most = f"clearly costs {quoted(run.name)} anything; the most is {worst} with {_points(lost)}"
    return [f"None of {counted(len(drops), 'change')} of pictures or questions {most}."]


def _confidence(run: Run) -> list[str]:
    measured = reliability(run.predictions)
    if measured is None:
        return []
    off = f"{100 * measured.ece:z.1f} points on average (expected calibration error)"
    return [f"The confidence of {quoted(run.name)} is off by {off}."]


def _points_of(gain: Difference) -> str:
    spread = ""
    if gain.ci95 is not None:
        spread = f" (95 % interval {100 * gain.ci95[0]:z.1f} to {100 * gain.ci95[1]:z.1f})"
    return f"{100 * gain.mean:z.1f} points{spread}"


def _gain(base: Run, other: Run, attempts: Sequence[Attempt]) -> str:
    measured = _measured(base, other, attempts)
    if measured is None:
        paired = pair_rows([base, other])
        if not paired.rows:
            names = f"{quoted(other.name)} and {quoted(base.name)}"
            return f"No question is common to {names}, which cannot be compared."
        measured = exact_match_gain(base, other, paired), len(paired.rows), paired.missing
    gain, n, missing = measured
    note = f" Compared on the {n:,} questions that both answered." if missing else ""
    if not gain.is_clear:
        return (
            f"Between {quoted(other.name)} and {quoted(base.name)} there is no clear difference: "
            f"{_points(gain)}.{note}"
        )
    more = _more_or_less(gain)
    return f"Compared with {quoted(base.name)}, {quoted(other.name)} gets {more} right.{note}"


def _measured(
    base: Run, other: Run, attempts: Sequence[Attempt]
) -> tuple[Difference, int, int] | None:
    """Return the gain in exact match, of how many rows, and how many are left out, where known."""
    for attempt in attempts:
        compared = attempt.comparison
        if compared is None or (attempt.base, attempt.other) != (base.name, other.name):
            continue
        for metric in compared.metrics:
            if metric.metric == EXACT_MATCH.name and metric.n == compared.n:
                return metric.difference, compared.n, compared.left_out
    return None


def _broken(run: Run) -> str:
    count = run.scorecard.broken_images
    which = "1 picture" if count == 1 else f"{count:,} pictures"
    return f"In {quoted(run.name)} {which} could not be read; every question about it scores 0."


def _failed(run: Run) -> str:
    failures = [row.failure for row in run.predictions if row.failure]
    [(reason, count)] = Counter(failures).most_common(1)
    return (
        f"In {quoted(run.name)} {counted(len(failures), 'question')} got no answer and score 0, "
        f"{counted(count, 'time')} because of: {reason}."
    )


def _tells_no_confidence(run: Run) -> bool:
    is_of_address = run.record.service is not None
    return is_of_address and all(row.confidence is None for row in run.predictions)


def _unsure(run: Run) -> str:
    return (
        f"The server of {quoted(run.name)} does not tell how likely its answers are: what needs a "
        "confidence, such as its calibration, is left out."
    )


def _percent(share: float) -> str:
    return f"{100 * share:z.1f} %"


def _interval(figure: Figure) -> str:
    if figure.ci95 is None:
        return ""
    low, high = figure.ci95
    return f" (95 % interval {100 * low:z.1f} to {100 * high:z.1f})"


def _more_or_less(gain: Difference) -> str:
    word = "more" if gain.mean >= 0 else "less"
    spread = ""
    if gain.ci95 is not None:
        low, high = sorted(abs(100 * bound) for bound in gain.ci95)
        spread = f" (95 % interval {low:z.1f} to {high:z.1f})"
    return f"{abs(100 * gain.mean):z.1f} points{spread} {word}"


def _points(gain: Difference) -> str:
    if gain.ci95 is None:
        return f"{100 * gain.mean:+z.1f} points"
    low, high = gain.ci95
    return f"{100 * gain.mean:+z.1f} points, 95 % interval {100 * low:+z.1f} to {100 * high:+z.1f}"
