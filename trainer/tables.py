"""What the commands show on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from trainer.fuse import FuseResult
    from trainer.merge import MergeResult


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
    for column in table.columns[1:]:
        column.justify = "right"
    for domain in result.domains:
        scores = [f"{domain.exact_match[model]:.4f}" for model in models]
        table.add_row(
            domain.name, f"{domain.pairs} {domain.split}", *scores, f"{-domain.forgotten:+.4f}"
        )
    return table
