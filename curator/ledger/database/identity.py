"""Which file a ledger is, whatever it is called: its links, and what lies beside it.

SQLite keeps the newest changes in a file that is named after the ledger's. So a ledger must not be
written under two names, and must not be made anew beside what another one left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

from curator.ledger.errors import REPAIR
from curator.ledger.records.logged import REPLY_LINE
from shared.errors import InputError
from shared.files.locking import FileHold, LockHeld, is_held

LOCK: Final = ".lock"
LOG: Final = ".log.jsonl"
_NEWEST: Final = ("-wal", "-journal")
"""Files of SQLite's that hold changes which the ledger itself does not have yet."""


def beside(path: Path, suffix: str) -> Path:
    """Return the file with ``suffix`` beside the ledger that ``path`` leads to."""
    place = path.resolve()
    return place.with_name(place.name + suffix)


def require_own_name(path: Path) -> None:
    """Check that the ledger at ``path`` is not at work, or unfinished, under another name.

    Raises:
        InputError: a hard link may have newer changes beside it.
        LockHeld: a run works on the same file under another name.
    """
    place = path.resolve()
    try:
        links = place.stat().st_nlink
    except FileNotFoundError:
        return
    if links > 1 and not newest_beside(place):
        _require_no_other(path, place, links)
    if _held_under_another_name(place):
        raise LockHeld(
            f"{path}: another `curator run` works on this ledger under another name; "
            "wait for it or stop it, and use that name alone"
        )


def _require_no_other(path: Path, place: Path, links: int) -> None:
    names = [
        Path(entry.path)
        for entry in os.scandir(place.parent)
        if entry.is_file(follow_symlinks=False) and place.samefile(entry.path)
    ]
    for name in names:
        if newest := newest_beside(name):
            raise InputError(
                f"{path}: is a hard link of {name}, which has the newest changes beside it "
                f"({newest[0].name}); give --ledger {name}"
            )
    if len(names) < links:
        raise InputError(
            f"{path}: has {links} names (hard links), and another one, elsewhere, may have newer "
            "changes beside it; keep one name (a symbolic link may be another), or give a copy"
        )


def _held_under_another_name(place: Path) -> bool:
    # A run that is just ending lets go of the file first.
    lock = beside(place, LOCK)
    return _is_held_itself(place) and not is_held(lock) and _is_held_itself(place)


def _is_held_itself(place: Path) -> bool:
    hold = FileHold()
    try:
        return not hold.take(place)
    finally:
        hold.release()


def require_nothing_lost(path: Path) -> None:
    """Check that where there is no ledger yet, none got lost: nothing of one lies there.

    Raises:
        InputError: the file is gone or empty, and changes, a log or copies of it are there.
    """
    place = path.resolve()
    newest, log = newest_beside(place), beside(place, LOG)
    if not place.exists():
        left = [*newest, *([log] if _tells_of_replies(log) else [])]
        if left:
            names = " and ".join(file.name for file in left)
            raise InputError(
                f"{path}: is gone, but {names} beside it tells of paid replies; put the ledger "
                f"back, save what is left by {REPAIR}, or move {names} away to begin anew"
            )
        return
    left = [*newest, *_filled([log]), *copies_of(place)]
    if left:
        names = ", ".join(file.name for file in left)
        raise InputError(
            f"{path}: is empty, but was not ({names} beside it): something emptied it; put a copy "
            f"in its place, save what is left by {REPAIR}, or move all of them away to begin anew"
        )


def has_log(path: Path) -> bool:
    """Return whether the log of a ledger lies beside what ``path`` leads to."""
    return bool(_filled([beside(path, LOG)]))


def _tells_of_replies(log: Path) -> bool:
    """Return whether a log has a reply in it; one of a run that asked nothing has not."""
    if not _filled([log]):
        return False
    with log.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return re.search(REPLY_LINE, content) is not None


def copies_of(place: Path) -> list[Path]:
    """Return the copies of the ledger at ``place`` from before its form changed, newest last."""
    names = (entry.name for entry in os.scandir(place.parent))
    head, tail = f"{place.name}.", ".backup"
    return [
        place.with_name(name)
        for name in sorted(names)
        if name.startswith(head) and name.endswith(tail)
    ]


def newest_beside(place: Path) -> list[Path]:
    """Return the files with newer changes than the ledger at ``place`` has itself."""
    return _filled(place.with_name(place.name + suffix) for suffix in _NEWEST)


def _filled(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if file.is_file() and file.stat().st_size]
