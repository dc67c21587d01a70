"""What goes wrong with a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.errors import AboVqaError

_WAY_OUT: Final = "mend that (free space on its disk?) and run the same command again"


class LedgerFailure(AboVqaError):
    """The ledger cannot be written any more: disk full, or the file was taken away."""


class LedgerBusy(LedgerFailure):
    """Another process writes the ledger; the same change can be tried again."""


@contextmanager
def translated(kind: type[Exception]) -> Iterator[None]:
    """Turn errors of the database's ``kind`` into ours.

    Raises:
        LedgerFailure: the database gave one.
    """
    try:
        yield
    except kind as error:
        reason = str(error).partition("\n")[0]
        raise LedgerFailure(f"the ledger cannot be used any more: {reason}; {_WAY_OUT}") from error
