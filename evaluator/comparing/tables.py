"""Scorecards as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.table import Table

from evaluator.comparing.differences import RunComparison, p_text
from evaluator.comparing.several import SeveralRuns
from evaluator.comparing.side_by_side import (
    Column,
    Comparison,
    Contestant,
    best_rows,
    compare_scorecards,
    label_notes,
    trained_on_notes,
)
from evaluator.scoring.figures import Figure
from evaluator.scoring.scorecard import Scorecard
from shared.corpus import left_out_by_reason
from shared.dataset.check import Bond, DataCheck
from shared.dataset.units import counted
from shared.program.reporting import table_widths

if TYPE_CHECKING:
    # With it comes scipy, which takes half a second.
    from evaluator.comparing.deciding.power import Need

_INTERVAL_WIDTH: Final = len("0.236-0.327")
_METRIC_WIDTH: Final = len("all-MiniLM-L6-v2")


def detail_table(name: str, scorecard: Scorecard) -> Table:
    """Return one scorecard: a row for each metric."""
    title = (
        f"{escape(name)}: {counted(scorecard.scores.n, 'question')} "
        f"{_on_images(scorecard.images)}; "
        f"intervals over {counted(scorecard.units, scorecard.clustered_by)}"
    )
    table = Table(title=title, title_justify="left", caption=_notes(scorecard))
    table.add_column("metric")
    for heading in ("mean", "std", "95 % interval", "n", "prior"):
        table.add_column(heading, justify="right", no_wrap=True)
    for metric, figure in scorecard.scores.metrics.items():
        prior = scorecard.prior.metrics.get(metric) if scorecard.prior else None
        column = Column(metric, scorecard.signatures.get(metric, ""))
        table.add_row(
            metric_heading(column),
            f"{figure.mean:.4f}",
            f"{figure.std:.4f}",
            _interval(figure),
            f"{figure.n:,}",
            "-" if prior is None else f"{prior.mean:.4f}",
        )
    return table


def _on_images(images: int) -> str:
    return f"on {counted(images, 'image')}" if images else "without image names"


def check_table(name: str, check: DataCheck, types: Mapping[str, float]) -> Table:
    """Return what a check of a data set found; ``types`` are shares of its questions."""
    title = f"{escape(name)}: {counted(check.pairs, 'question')} {_on_images(check.images)}"
    if check.products:
        title += f" of {counted(check.products, 'product')}"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows: list[tuple[str, str]] = [
        (f"  {split or 'no split'}", f"{count:,}") for split, count in check.pairs_by_split.items()
    ]
    rows += [
        (f"rows left out: {reason} (first: row {first})", f"{count:,}")
        for reason, (count, first) in left_out_by_reason(check.left_out).items()
    ]
    rows += [
        *_leak_rows(check),
        ("same question and image, another answer", f"{len(check.conflicts):,}"),
        ("rows that say the same again", f"{check.repeats:,}"),
    ]
    if check.looked_at:
        rows.append(("missing images", f"{check.missing_images:,}"))
    shares = {
        "answers that are a number": check.numbers,
        "answers yes or no": check.yes_no,
        "answers of more than one word": check.longer,
    }
    shares |= {f"questions about: {kind}": share for kind, share in types.items()}
    rows += [(label, f"{100 * share:.1f} %") for label, share in shares.items()]
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _leak_rows(check: DataCheck) -> list[tuple[str, str]]:
    """Return what stands in several splits: images, products and look-alikes."""
    look = f"{check.leaks_by(Bond.LOOK):,}" if check.looked_at else "give --images"
    product = f"{check.leaks_by(Bond.PRODUCT):,}" if check.products else "no column names one"
    return [
        ("images in several splits", f"{check.leaks_by(Bond.IMAGE):,}"),
        ("products with images in several splits", product),
        ("groups of near-identical images in several splits", look),
        ("images outside train that are, or show, what is trained on", f"{check.leaked_images:,}"),
        ("rows about them", f"{check.leaked_pairs:,}"),
    ]


def difference_table(comparison: RunComparison) -> Table:
    """Return what the second run scores more than the first, a row for each metric."""
    table = Table(
        title=f"{escape(f'{comparison.other} less {comparison.base}')}: "
        f"{counted(comparison.n, 'question')} {_on_images(comparison.images)}, "
        f"intervals by {comparison.clustered_by}",
        title_justify="left",
        caption="p: paired bootstrap over units; Holm: corrected for the number of metrics. "
        "The types of question are of the first metric, and not corrected.",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=table_widths.CLOSE,
    )
    table.add_column("metric", no_wrap=True)
    for name in (comparison.base, comparison.other):
        # Of two names that begin alike, the ends tell which is which.
        table.add_column(
            escape(name), justify="right", overflow="fold", min_width=table_widths.MEAN
        )
    for heading in ("gain", "95 % interval", "p", "Holm"):
        table.add_column(heading, justify="right", no_wrap=True)
    for metric in comparison.metrics:
        gain = metric.difference
        table.add_row(
            metric_heading(Column(metric.metric, "")),
            f"{metric.base:.4f}",
            f"{metric.other:.4f}",
            f"{gain.mean:+z.4f}",
            signed_interval(gain.ci95),
            *(p_cell(p) for p in (gain.p_value, metric.p_holm)),
        )
    table.add_section()
    for kind, gain in comparison.by_question_type.items():
        row = (f"  {kind}", "", "", f"{gain.mean:+z.4f}", signed_interval(gain.ci95), "", "")
        table.add_row(*row, style="dim")
    return table


def several_table(several: SeveralRuns) -> Table:
    """Return the differences of all pairs of runs, a section for each metric."""
    table = Table(
        title="Each run less one before it; intervals by "
        + " and by ".join(dict.fromkeys(each.clustered_by for each in several.comparisons)),
        title_justify="left",
        caption="p: paired bootstrap over units; Holm: corrected for all pairs and metrics.",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=table_widths.CLOSE,
    )
    table.add_column("", overflow="fold")
    for heading in ("gain", "95 % interval", "p", "Holm"):
        table.add_column(heading, justify="right", no_wrap=True)
    names = dict.fromkeys(m.metric for each in several.comparisons for m in each.metrics)
    for name in names:
        table.add_section()
        table.add_row(metric_heading(Column(name, "")), "", "", "", "")
        for comparison in several.comparisons:
            for metric in (m for m in comparison.metrics if m.metric == name):
                gain = metric.difference
                table.add_row(
                    escape(f"  {comparison.other} less {comparison.base}"),
                    f"{gain.mean:+z.4f}",
                    signed_interval(gain.ci95),
                    *(p_cell(p) for p in (gain.p_value, metric.p_holm)),
                )
    return table


def need_table(needed: Need) -> Table:
    """Return how many units see which difference."""
    table = Table(
        title=f"To see a difference in {100 * needed.chance:g} of 100 tries, at the level of 5 %",
        title_justify="left",
    )
    for heading in ("points", f"{needed.noun}s", "questions"):
        table.add_column(heading, justify="right")
    for points, units in needed.units_by_points:
        questions = round(units * needed.variation.rows)
        table.add_row(f"{points:g}", f"{units:,}", f"{questions:,}")
    return table


def p_cell(p_value: float | None) -> str:
    """Return a p-value without its letter; a dash for none."""
    return "-" if p_value is None else p_text(p_value).removeprefix("p ").removeprefix("= ")


def signed_interval(ci95: tuple[float, float] | None) -> str:
    """Return the interval of a difference, or a dash."""
    return "-" if ci95 is None else f"{ci95[0]:+z.3f} to {ci95[1]:+z.3f}"


def comparison_table(scorecards: Mapping[str, Scorecard]) -> RenderableType:
    """Return scorecards by name side by side: the prior first, a row for each metric.

    Where there is no room for all, the others stand in tables below.
    """
    return _SideBySide(compare_scorecards(scorecards))


class _SideBySide:
    def __init__(self, comparison: Comparison) -> None:
        self._comparison, self._best = comparison, best_rows(comparison)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        rows = self._comparison.rows
        # Of each column three characters are its frame.
        at_once = max(1, (options.max_width - _METRIC_WIDTH - 4) // (_INTERVAL_WIDTH + 3))
        for first in range(0, len(rows), at_once):
            yield self._table(rows[first : first + at_once])

    def _table(self, rows: Sequence[Contestant]) -> Table:
        table = Table(title="Mean, and 95 % interval over units", title_justify="left")
        table.add_column("metric", overflow="fold")
        for row in rows:
            heading = f"{escape(row.name)}\n[dim]n = {row.n:,}[/dim]"
            table.add_column(heading, justify="right", overflow="fold", min_width=_INTERVAL_WIDTH)
        for column in self._comparison.columns:
            cells = [
                _cell(
                    row.figures.get(column),
                    "bold" if row.name in self._best[column] else "not bold",
                )
                for row in rows
            ]
            table.add_row(metric_heading(column), *cells)
        return table


def signature_note(scorecards: Iterable[Scorecard]) -> str:
    """Return what the hashes in the tables stand for: a line for each metric and definition."""
    columns = dict.fromkeys(
        Column(metric, text)
        for scorecard in scorecards
        for metric, text in scorecard.signatures.items()
    )
    return "\n".join(
        f"{column.digest} {column.metric}: {column.signature.rpartition('|')[0]}"
        for column in columns
        if column.digest
    )


def metric_heading(column: Column) -> str:
    """Return a metric's name, with its model and digest below where a column has some."""
    small = " ".join(filter(None, (column.model, column.digest)))
    return column.label + (f"\n[dim]{escape(small)}[/dim]" if small else "")


def _cell(figure: Figure | None, style: str) -> str:
    if figure is None:
        return "-"
    return f"[{style}]{figure.mean:.4f}[/]\n[dim]{_interval(figure)}[/dim]"


def lead_cell(figure: Figure | None) -> str:
    """Return a difference with its interval below."""
    if figure is None:
        return "-"
    return f"{figure.mean:+z.4f}\n[dim]{signed_interval(figure.ci95)}[/dim]"


def _interval(figure: Figure) -> str:
    return "-" if figure.ci95 is None else f"{figure.ci95[0]:.3f}-{figure.ci95[1]:.3f}"


def _notes(scorecard: Scorecard) -> str | None:
    notes = [
        *trained_on_notes(scorecard),
        *label_notes(scorecard),
        _broken_note(scorecard),
        _failed_note(scorecard),
        _coverage_note(scorecard),
        *_cost_notes(scorecard),
    ]
    return escape("\n".join(filter(None, notes))) or None


def _cost_notes(scorecard: Scorecard) -> list[str]:
    of_judge = None if scorecard.judged is None else scorecard.judged.cost
    costs = {"answers": scorecard.cost, "verdicts": of_judge}
    return [cost.note(what) for what, cost in costs.items() if cost is not None]


def _broken_note(scorecard: Scorecard) -> str | None:
    if not scorecard.broken_images:
        return None
    return f"broken images: {scorecard.broken_images:,}; their questions score 0"


def _failed_note(scorecard: Scorecard) -> str | None:
    if not scorecard.failed_answers:
        return None
    return f"without an answer: {counted(scorecard.failed_answers, 'question')}; these score 0"


def _coverage_note(scorecard: Scorecard) -> str | None:
    """Return how often the surest answers are right; nothing where none has a confidence."""
    shares = [
        f"{100 * each.coverage:.0f} %: {100 * each.accuracy:.1f}"
        + (f" ({100 * each.ci95[0]:.1f} to {100 * each.ci95[1]:.1f})" if each.ci95 else "")
        for each in scorecard.at_coverage
    ]
    return f"right in percent among the surest {'; '.join(shares)}" if shares else None
