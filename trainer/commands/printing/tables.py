"""What the commands show on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from shared.program.reporting import table_widths

if TYPE_CHECKING:
    from trainer.merging.fuse import FuseResult
    from trainer.merging.merge import MergeResult
    from trainer.sweep.findings import Findings


def merge_table(result: MergeResult) -> Table:
    """Return exact match before and after merging."""
    title = f"exact match on {result.pairs} {result.split} questions"
    table = Table("model", "exact match", title=title)
    table.columns[1].justify = "right"
    for stage, value in result.exact_match.items():
        table.add_row(stage, f"{value:.4f}")
    return table


def fuse_table(result: FuseResult) -> Table:
    """Return exact match of every model in every domain, and what fusing lost of its own."""
    models = list(result.domains[0].exact_match)
    table = Table("domain", "questions", *models, "fused - own", title="exact match by domain")
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.justify, column.overflow = "right", "fold"
        column.min_width = table_widths.MEAN
    for domain in result.domains:
        scores = [f"{domain.exact_match[model]:.4f}" for model in models]
        table.add_row(
            domain.name, f"{domain.pairs} {domain.split}", *scores, f"{-domain.forgotten:+z.4f}"
        )
    return table


def sweep_table(findings: Findings) -> Table:
    """Return the combinations from the best on; what does not vary is left out."""
    names = [effect.setting for effect in findings.effects]
    table = Table(*names, "exact match", "± seeds", "seeds", "epochs", "state", title="sweep")
    for column in table.columns[: len(names)]:
        column.overflow = "fold"
    for column in table.columns[len(names) :]:
        column.justify, column.min_width = "right", table_widths.MEAN
    for scored in findings.scored:
        table.add_row(
            *(scored.combination.value(name) for name in names),
            f"{scored.mean:.4f}",
            "" if scored.spread is None else f"{scored.spread:.4f}",
            str(len(scored.outcomes)),
            "/".join(str(len(outcome.held_out)) for outcome in scored.outcomes),
            ", ".join(dict.fromkeys(outcome.state.value for outcome in scored.outcomes)),
        )
    return table
