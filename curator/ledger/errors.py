"""What goes wrong with a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.errors import EXIT_STOPPED_FOR_NOW, AboVqaError

_WAY_OUT: Final = "mend that (free space on its disk?) and run the same command again"

_NO_ROOM_BESIDE: Final = "SQLITE_IOERR_SHMSIZE"
"""What SQLite says of a full disk where one only wants to read."""
REPAIR: Final = "`curator repair --ledger LEDGER --out NEW`"
OF_DAMAGE: Final = f"put a copy in its place, or save what can be read: {REPAIR}"


_MEANT: Final = {
    "is locked": "another process holds the ledger for itself (a copy? a shell?); wait for it, or "
    "stop it, and run the same command again",
    "disk I/O error": "its disk is full or fails, and SQLite needs room for LEDGER-shm to read, "
    "too; make room and run the same command again",
    "readonly database": "neither the ledger nor its folder may be read-only; run the same command "
    "again as who may write both",
    "unable to open": "its folder may not be written or searched; run the same command again as "
    "who may do both",
}
"""What the database's words mean here, and the way out."""


class LedgerFailure(AboVqaError):
    """The ledger cannot be written any more: disk full, or the file was taken away."""


class LedgerBusy(LedgerFailure):
    """Another process writes the ledger; the same change can be tried again."""

    exit_code = EXIT_STOPPED_FOR_NOW


def told(error: Exception) -> str:
    """Return what the database says, and the way out where its file is damaged."""
    said = str(error).partition("\n")[0]
    if getattr(error, "sqlite_errorname", "") == _NO_ROOM_BESIDE:
        return "no room on its disk, where a file beside it has to grow"
    for part, meant in _MEANT.items():
        if part in said:
            return f"{said}: {meant}"
    if "malformed" in said or "not a database" in said:
        return f"{said}: the file is damaged; {OF_DAMAGE}"
    return said


def is_busy(error: Exception) -> bool:
    """Return whether another process holds what is asked of the database."""
    return any(f"{what} is locked" in str(error) for what in ("database", "table"))


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
        if is_busy(error):
            raise LedgerBusy(f"the ledger cannot be written: {reason}") from error
        way_out = "" if reason != str(error) else f"; {_WAY_OUT}"
        raise LedgerFailure(f"the ledger cannot be used any more: {reason}{way_out}") from error
