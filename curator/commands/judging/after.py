"""What comes after judging: what people accepted, or more judging where nothing is judged."""

from __future__ import annotations

from pathlib import Path

from curator.review.gathering import review_lines
from shared.program.command_line.next_step import tell_next


def tell_what_comes_next(ledger: Path) -> None:
    """Name the next command.

    Raises:
        LedgerFailure: the ledger cannot be read.
    """
    if review_lines(ledger):
        tell_next("curator", "export", "--ledger", ledger, "--reviewed", "--out", "dataset")
    else:
        tell_next("curator", "review", "--ledger", ledger)
