"""Cells that hold a share of 1, such as a confidence; those that hold none are counted and told."""

from __future__ import annotations

from pathlib import Path

from shared.corpus.formats.cells import shown
from shared.corpus.rows import Fields
from shared.program.reporting.event_log import EventLog
from shared.records import share_of

log = EventLog(__name__)


class Shares:
    """Reads such cells, and keeps in mind which rows of a file hold something else.

    An empty cell says nothing and is no fault.
    """

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, Fields]] = {}

    def confidence(self, fields: Fields, field: str) -> float | None:
        """Return a confidence as a number, which may be none from 0 to 1: then no figure has it."""
        number = fields.number(field)
        if number is None or not 0 <= number <= 1:
            self._note(fields, field, number)
        return number

    def share(self, fields: Fields, field: str) -> float | None:
        """Return a cell as a number from 0 to 1; ``None`` where it holds none."""
        number = fields.number(field)
        if number is None or not 0 <= number <= 1:
            self._note(fields, field, number)
            return share_of(number)
        return number

    def _note(self, fields: Fields, field: str, number: float | None) -> None:
        cell = fields.cell(field)
        is_empty = cell is None or (isinstance(cell, str) and not cell.strip())
        if not is_empty and share_of(number) is None:
            rows, first = self._wrong.get(field, (0, fields))
            self._wrong[field] = (rows + 1, first)

    def say_wrong(self, path: Path) -> None:
        """Say of each column how many cells hold no share, and what the first of them holds."""
        for field, (rows, first) in self._wrong.items():
            log.warning(
                "cells_are_no_shares",
                file=path.name,
                column=first.names[field],
                rows=rows,
                first_row=first.line,
                holds=shown(first.cell(field)),
                wanted="a number from 0 to 1",
                effect="no figure has them",
            )
