"""What can be compared at all: runs about the same data, with metrics measured alike.

What cannot is refused in one line that says what differs, and the way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evaluator.comparing.pairing import (
    PairedRows,
    differing_rows,
    other_references,
    pair_rows,
    why_none_pair,
    why_rows_repeat,
)
from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import corpus_figure
from evaluator.runs.folder import Run
from shared.dataset.units import counted
from shared.errors import InputError
from shared.records import QAPair

SHOWN: Final = 3
"""Differing rows that a refusal names."""
_WAYS_OF_ASKING: Final = {
    "prompt": "prompt",
    "max_new_tokens": "longest answer",
    "answer_cleaning": "cleaning of answers",
}
"""Facts of a run, by the name that each has in its record."""


def same_rows(base: Run, other: Run) -> PairedRows:
    """Return the rows of two runs that answer the same questions with the same references.

    Raises:
        InputError: they do not; some rows that differ are named.
    """
    paired = pair_rows([base, other])
    only_base, only_other = differing_rows(base, other, paired)
    if not only_base and not only_other:
        return paired
    asked = {_asked_for(run) for run in (base, other)}
    if len(asked) == 1 and None not in asked:
        if not paired.rows:
            raise InputError(
                f"{base.name} and {other.name} have no row in common that neither model was "
                "trained on; give data that both have not seen"
            )
        return paired
    names = f"{base.name} and {other.name}"
    if why := why_rows_repeat(only_base, only_other):
        some = (
            "no row in common"
            if not paired.rows
            else f"{counted(len(only_base), 'row')} that pair with none"
        )
        raise InputError(f"{names} have {some}: {why}")
    if len(only_base) == len(base.predictions) and (why := why_none_pair(base, other)):
        raise InputError(f"{names} have no row in common: {why}")
    twins = other_references(only_base, only_other)
    if len(twins) == len(only_base) == len(only_other):
        raise InputError(
            f"{names} answer the same questions, but {len(twins):,} have "
            f"another reference: {_twins_text(twins)}; score both against the same references"
        )
    parts = [
        f"{len(pairs):,} {'row is' if len(pairs) == 1 else 'rows are'} only in {run.name}: "
        + "; ".join(_row_text(pair) for pair in pairs[:SHOWN])
        + ("; and others" if len(pairs) > SHOWN else "")
        for run, pairs in ((base, only_base), (other, only_other))
        if pairs
    ]
    raise InputError(
        f"{names} answer different data, so their scores do not compare. " + ". ".join(parts)
    )


def _asked_for(run: Run) -> str | None:
    """Return the digest of the rows before those were left out that the model was trained on."""
    trained_on = run.record.trained_on
    return trained_on.asked_sha256 if trained_on else run.record.data_sha256


def _twins_text(twins: Sequence[tuple[QAPair, QAPair]]) -> str:
    more = "; and others" if len(twins) > SHOWN else ""
    return (
        "; ".join(f"{_row_text(pair)} and {twin.answer!r}" for pair, twin in twins[:SHOWN]) + more
    )


def _row_text(pair: QAPair) -> str:
    return f"{pair.filename} {pair.question!r} = {pair.answer!r}"


def common_metrics(base: Run, other: Run, chosen: Sequence[Metric] | None) -> list[str]:
    """Return the metrics to compare: those ``chosen``, or all that both runs have.

    Raises:
        InputError: one is not in both, or was measured differently in each.
    """
    common = (name for name in base.columns if name in other.columns)
    both = [name for name in common if corpus_figure(name) is None]
    wanted = both if chosen is None else [metric.name for metric in chosen]
    missing = [name for name in wanted if name not in both]
    if missing or not wanted:
        raise InputError(
            f"{base.name} and {other.name}: no common figures for "
            f"{', '.join(missing) or 'any metric'}; both have: {', '.join(both) or 'none'}"
        )
    signatures = [run.scorecard.signatures for run in (base, other)]
    differing = [name for name in wanted if len({of_run.get(name) for of_run in signatures}) > 1]
    if differing:
        ways = "; ".join(
            f"{name}: {signatures[0].get(name)!r} against {signatures[1].get(name)!r}"
            for name in differing
        )
        alike = ",".join(name for name in both if name not in differing)
        way_out = f", or leave out what differs: --metrics {alike}" if alike else ""
        raise InputError(
            f"{base.name} and {other.name} were measured differently ({ways}); score both in the "
            f"same way{way_out}"
        )
    return wanted


def asked_differently(base: Run, other: Run) -> tuple[str, ...]:
    """Return in what two runs were asked differently, in words that quote both.

    It stops no comparison: models are asked each in its own way, and a prompt may be what is tried.
    """
    ways = []
    for fact, words in _WAYS_OF_ASKING.items():
        before, after = (run.scorecard.provenance.get(fact) for run in (base, other))
        if before != after and None not in (before, after):
            ways.append(f"{words} {before or 'none'!r} against {after or 'none'!r}")
    return tuple(ways)
