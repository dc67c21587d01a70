"""A lock on a file, which the system lets go of however the process ends.

Who holds one stands in the file, for whoever is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

from shared.errors import InputError
from shared.files import locks
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
    with _held(path, _taken) as file:
        if file is None:
            raise LockHeld(f"{held}{_holder(path)}; {way_out}")
        _sign(file, {"pid": os.getpid(), "host": socket.gethostname()})
        try:
            yield
        finally:
            _sign(file, None)


@contextmanager
def _held(path: Path, take: Callable[[TextIO], bool]) -> Iterator[TextIO | None]:
    """Yield the lock file once ``take`` has it locked; ``None`` where it is another's.

    Raises:
        InputError: the file cannot be written, or its file system knows no locks.
    """
    while True:
        with _opened(path) as file:
            try:
                is_ours = take(file)
            except OSError as error:
                raise _no_locks(path, error) from error
            # Who held it may have removed the file: then this one is nobody's name any more, and
            # whoever comes next locks another one.
            if is_ours and not _is_at(file, path):
                continue
            yield file if is_ours else None
            return


def _is_at(file: IO[Any], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _taken(file: IO[Any]) -> bool:
    """Return whether the lock is ours now."""
    while not locks.take(file.fileno()):
        # Whoever looks shares the lock for a moment, which nobody can do with a holder's.
        if not locks.share(file.fileno()):
            return False
        locks.release(file.fileno())
    return True


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
    with _held(path, _waited_for):
        yield


def _waited_for(file: TextIO) -> bool:
    locks.wait(file.fileno())
    return True


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
            return not locks.share(file.fileno())
    except OSError:
        return False


class FileHold:
    """A lock on a file itself, whatever names lead to it: links, mounts, a lock file that is gone.

    It bars nobody from reading or writing, only from holding it too.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def take(self, path: Path) -> bool:
        """Hold the file at ``path`` and let go of another; return whether nobody else holds it.

        Where such a lock would get in the way of the record locks that databases use, as over a
        network or on BSD's systems, none is kept.

        Raises:
            InputError: it cannot be opened.
        """
        self.release()
        try:
            file = path.open("rb")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        try:
            is_ours = _taken(file)
        except OSError:
            file.close()
            return True
        if is_ours and locks.leaves_record_locks(path):
            self._file = file
        else:
            file.close()
        return is_ours

    def release(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
