"""Which pairs are looked at, where a file names them: the rows that a model was not sure of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from curator.ledger.database.plain import reading
from curator.ledger.reviews.candidates import count_named
from shared.corpus.rows import Table, read_table
from shared.errors import InputError
from shared.program.reporting.event_log import EventLog
from shared.records.columns import column_key

_SURE: Final = "sure"
log = EventLog(__name__)


def named_pairs(path: Path, ledger: Path) -> frozenset[tuple[str, str]]:
    """Return the image, by path, and the question of each row of a file.

    What `evaluator predict --sure` wrote has a column ``sure``: of such a file only the rows that
    are not sure.

    Raises:
        InputError: the file cannot be read, or no row that counts is about a pair of the ledger.
    """
    table = read_table(path, ("question", "filename"))
    column = _mark_of(table)
    marked = column is not None
    named = frozenset(
        (fields.filename(), fields.text("question"))
        for fields in table.rows
        if column is None or not _is_sure(fields.row.get(column))
    )
    what = "that are not sure" if marked else "that it holds"
    if not named:
        raise InputError(f"{path}: has no rows {what}; there is nothing to look at")
    with reading(ledger) as connection:
        known = count_named(connection, named)
    if not known:
        raise InputError(
            f"{path}: of the {len(named):,} rows {what} none has the image and question of a pair "
            f"in {ledger}; give the ledger that the data was exported from"
        )
    log.info("pairs_named", file=path.name, rows=len(named), in_ledger=known)
    return named


def _mark_of(table: Table) -> str | None:
    """Return the column that says whether a row is sure.

    A prompt may ask for a field of that name as well, such as a number: that is no mark.
    """
    for column in table.raw.columns:
        said = {str(row.get(column)).strip().lower() for row in table.raw.rows}
        if column_key(column) == _SURE and said <= {"true", "false"}:
            return column
    return None


def _is_sure(cell: object) -> bool:
    return str(cell).strip().lower() == "true"
