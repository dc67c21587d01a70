"""A lock on a file, which the system lets go of however the process ends.

Who holds one stands in the file, for whoever is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from shared.errors import InputError
from shared.program.durations import local_time


class LockHeld(InputError):
    """Another process holds the lock; the message says which, what it works on and the way out."""


@contextmanager
def sole(path: Path, held: str, way_out: str) -> Iterator[None]:
    """Hold the lock file ``path`` for the time of the block; the file stays.

    Args:
        path: the lock file, which is made where it is not there.
        held: what is said where another process holds it.
        way_out: what is then to be done.

    Raises:
        LockHeld: another process holds it.
        InputError: the file cannot be written, or its file system knows no locks.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeld(f"{held}{_holder(path)}; {way_out}") from None
        except OSError as error:
            raise _no_locks(path, error) from error
        _sign(file, {"pid": os.getpid(), "host": socket.gethostname()})
        try:
            yield
        finally:
            _sign(file, None)


def _sign(file: TextIO, holder: dict[str, object] | None) -> None:
    # It holds without its signature, too.
    with contextlib.suppress(OSError):
        file.truncate(0)
        if holder:
            file.write(json.dumps(holder))
            file.flush()


def _holder(path: Path) -> str:
    """Return who holds the lock and since when, in brackets; nothing where it cannot be read."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        since = local_time(path.stat().st_mtime)
        return f" (process {holder['pid']} on {holder['host']}, since {since})"
    except (OSError, ValueError, TypeError, KeyError):
        return ""


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` for the time of the block, after whoever holds it now.

    Raises:
        InputError: the file cannot be written, or its file system knows no locks.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise _no_locks(path, error) from error
        yield


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _no_locks(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be locked ({error.strerror})")


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock file ``path`` at present."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
