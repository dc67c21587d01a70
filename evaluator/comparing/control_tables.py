"""Controls as tables on a terminal: what needs the picture, and what changes cost."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from evaluator.comparing.drops import DropDifference
from evaluator.comparing.side_by_side import Column
from evaluator.comparing.tables import lead_cell, metric_heading, p_cell, signed_interval
from evaluator.metrics.registry import label
from evaluator.scoring.scorecard import Scorecard
from shared.dataset.units import counted


def control_tables(scorecard: Scorecard) -> list[Table]:
    """Return the tables that a scorecard has the figures for."""
    tables = [controls_table(scorecard)]
    return [*tables, robustness_table(scorecard)] if scorecard.robustness else tables


def controls_table(scorecard: Scorecard) -> Table:
    """Return how much of each score needs the picture, and what constant answers score."""
    blind = 0 if scorecard.shuffled is None else scorecard.shuffled.n
    table = Table(
        title="How much needs the picture: the score less that of the prior, and less that of the "
        f"same model shown other pictures ({blind:,} questions)",
        title_justify="left",
    )
    table.add_column("metric", no_wrap=True)
    headings = ["over prior", "over shuffled"]
    for heading in [*headings, *(f"all {answer!r}" for answer in scorecard.constants)]:
        table.add_column(escape(heading), justify="right")
    for metric in scorecard.scores.metrics:
        leads = [scorecard.over_prior.get(metric), scorecard.over_shuffled.get(metric)]
        constants = [group.metrics.get(metric) for group in scorecard.constants.values()]
        table.add_row(
            metric_heading(Column(metric, "")),
            *(lead_cell(lead) for lead in leads),
            *("-" if figure is None else f"{figure.mean:z.4f}" for figure in constants),
        )
    return table


def robustness_table(scorecard: Scorecard) -> Table:
    """Return what each score loses under each change of pictures and questions."""
    table = Table(
        title="What is lost when the same questions are asked under a change: the score less that "
        f"under it, intervals by {scorecard.clustered_by}",
        title_justify="left",
        caption="\n".join(
            f"{name}: {each.signature.partition('|')[0]}; {counted(each.scores.n, 'question')}, "
            f"{100 * each.other_answers.mean:z.1f} % other answers{_left_out(each.left_out)}"
            for name, each in scorecard.robustness.items()
        ),
        caption_justify="left",
    )
    # Downwards, so that no figure is cut off however many metrics there are.
    table.add_column("change", no_wrap=True)
    table.add_column("metric", overflow="fold")
    for heading in ("lost", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, each in scorecard.robustness.items():
        metrics = [metric for metric in scorecard.scores.metrics if metric in each.drop]
        for place, metric in enumerate(metrics):
            lost = each.drop[metric]
            table.add_row(
                "" if place else name,
                label(metric),
                f"{lost.mean:+z.4f}",
                signed_interval(lost.ci95),
            )
        table.add_section()
    return table


def drops_table(drops: Sequence[DropDifference]) -> Table:
    """Return how much more some runs lose under each change than others."""
    table = Table(
        title="What is lost under each change, by a run and by its base",
        title_justify="left",
        caption="p: paired bootstrap over units; Holm: corrected for all that is in this table.",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("", overflow="fold")
    for heading in ("base", "lost", "more", "95 % interval", "p", "Holm"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in drops:
        table.add_section()
        table.add_row(escape(f"{each.change}: {each.other} less {each.base}"), *[""] * 6)
        for metric in each.metrics:
            more = metric.difference
            table.add_row(
                f"  {label(metric.metric)}",
                f"{metric.base:+z.4f}",
                f"{metric.other:+z.4f}",
                f"{more.mean:+z.4f}",
                signed_interval(more.ci95),
                *(p_cell(p) for p in (more.p_value, metric.p_holm)),
            )
    return table


def _left_out(questions: int) -> str:
    return f"; no rule fits {questions:,} questions, which are left out" if questions else ""
