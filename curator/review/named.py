"""Which pairs are looked at, where a file names them: the rows that a model was not sure of."""

from __future__ import annotations

from pathlib import Path

from curator.ledger.database.plain import reading
from curator.ledger.reviews.candidates import count_named
from shared.corpus.rows import read_table
from shared.errors import InputError
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


def named_pairs(path: Path, ledger: Path) -> frozenset[tuple[str, str]]:
    """Return the image, by path, and the question of each row of a file.

    What `evaluator predict --sure` wrote has a column ``sure``: of such a file only the rows that
    are not sure.

    Raises:
        InputError: the file cannot be read, or no row that counts is about a pair of the ledger.
    """
    table = read_table(path, ("question", "filename"))
    marked = "sure" in table.names
    named = frozenset(
        (fields.filename(), fields.text("question"))
        for fields in table.rows
        if not (marked and fields.truth("sure"))
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
