"""What goes wrong with a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.errors import AboVqaError

_WAY_OUT: Final = "mend that (free space on its disk?) and run the same command again"

_NO_ROOM_BESIDE: Final = "SQLITE_IOERR_SHMSIZE"
"""What SQLite says of a full disk where one only wants to read."""
REPAIR: Final = "`curator repair LEDGER --to NEW`"
OF_DAMAGE: Final = f"put a copy in its place, or save what can be read: {REPAIR}"


class LedgerFailure(AboVqaError):
    """The ledger cannot be written any more: disk full, or the file was taken away."""


class LedgerBusy(LedgerFailure):
    """Another process writes the ledger; the same change can be tried again."""


def told(error: Exception) -> str:
    """Return what the database says, and the way out where its file is damaged."""
    said = str(error).partition("\n")[0]
    if "malformed" in said or "not a database" in said:
        return f"{said}: the file is damaged; {OF_DAMAGE}"
    if getattr(error, "sqlite_errorname", "") == _NO_ROOM_BESIDE:
        return "no room on its disk, where a file beside it has to grow"
    return said


@contextmanager
def translated(kind: type[Exception]) -> Iterator[None]:
    """Turn errors of the database's ``kind`` into ours.

    Raises:
        LedgerFailure: the database gave one.
    """
    try:
        yield
    except kind as error:
        reason = told(error)
        way_out = "" if reason.endswith(OF_DAMAGE) else f"; {_WAY_OUT}"
        raise LedgerFailure(f"the ledger cannot be used any more: {reason}{way_out}") from error
