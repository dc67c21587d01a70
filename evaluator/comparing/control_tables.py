"""Controls as tables on a terminal: what needs the picture, and what changes cost."""

from __future__ import annotations

from rich.table import Table

from evaluator.comparing.side_by_side import Column
from evaluator.comparing.tables import lead_cell, metric_heading
from evaluator.scoring.scorecard import Scorecard


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
        table.add_column(heading, justify="right")
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
            f"{name}: {each.signature.partition('|')[0]}{_left_out(each.left_out)}"
            for name, each in scorecard.robustness.items()
        ),
        caption_justify="left",
    )
    table.add_column("change", no_wrap=True)
    for heading in ("questions", "other answers"):
        table.add_column(heading, justify="right")
    metrics = [
        metric
        for metric in scorecard.scores.metrics
        if any(metric in each.drop for each in scorecard.robustness.values())
    ]
    for metric in metrics:
        table.add_column(metric_heading(Column(metric, "")), justify="right")
    for name, each in scorecard.robustness.items():
        table.add_row(
            name,
            f"{each.scores.n:,}",
            f"{100 * each.other_answers.mean:z.1f} %",
            *(lead_cell(each.drop.get(metric)) for metric in metrics),
        )
    return table


def _left_out(questions: int) -> str:
    return f"; no rule fits {questions:,} questions, which are left out" if questions else ""
