"""Opens a ledger file: its version, migrations, backup, and the lock of the one who writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

from curator.ledger import database
from curator.ledger.database.identity import (
    LOCK,
    beside,
    has_log,
    require_nothing_lost,
    require_own_name,
)
from curator.ledger.database.plain import connected
from curator.ledger.errors import OF_DAMAGE, LedgerBusy, LedgerFailure, is_busy, told
from shared.errors import InputError
from shared.files.atomic import atomic_path
from shared.files.locking import FileHold, LockHeld, is_held, sole

HEAD: Final = "0028"
"""The version that this release writes."""
KNOWN_VERSIONS: Final = tuple(f"{number:04}" for number in range(1, int(HEAD) + 1))
OLDEST_SQLITE: Final = (3, 35)
"""The first to drop columns, as migration 0005 does."""
_WAIT: Final = "wait for it or stop it"
_NO_DATABASE_BUT: Final = {
    False: "not a ledger; give another --ledger",
    True: f"cannot be read (its beginning is no database's: the file is damaged; {OF_DAMAGE})",
}
"""What a file is told that is no database, by whether a ledger's log lies beside it."""
_SQLITE_MAGIC: Final = b"SQLite format 3\0"


def require_ledger(path: Path) -> None:
    """Check that a ledger of this or an older version is at ``path``, changing nothing.

    Raises:
        InputError: missing, not a ledger, or made by a newer release.
    """
    version = check_version(path)
    if version is None:
        what = "is empty" if path.exists() else "no such ledger"
        raise InputError(f"{path}: {what}; `curator run` makes one")


def check_version(path: Path) -> str | None:
    """Return the version of the ledger at ``path``; ``None`` where there is none yet.

    Raises:
        InputError: the file is not a ledger, made by a newer release, or gone while what belongs
            to it is there; or its newest changes lie beside another name of it.
        LockHeld: a run works on it under another name.
        LedgerBusy: another process holds it for itself.
        LedgerFailure: its disk is full or fails.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; --ledger wants a file")
    try:
        if not path.exists() or path.stat().st_size == 0:
            require_nothing_lost(path)
            return None
        require_own_name(path)
        with path.open("rb") as file:
            is_sqlite = file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not is_sqlite:
        raise InputError(f"{path}: {_NO_DATABASE_BUT[has_log(path)]}")
    version = _read_version(path)
    if version not in KNOWN_VERSIONS:
        raise InputError(
            f"{path}: made by a newer release (version {version}; this one knows {HEAD}); "
            "update abo-vqa or give another --ledger"
        )
    return version


def _read_version(path: Path) -> str:
    try:
        with closing(connected(path, "ro")) as database:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        reason = told(error)
        if is_busy(error):
            raise LedgerBusy(f"{path}: cannot be read ({reason})") from error
        if "disk I/O error" in reason:
            raise LedgerFailure(f"{path}: cannot be read ({reason})") from error
        if reason != str(error):
            raise InputError(f"{path}: cannot be read ({reason})") from error
        if "no such table" not in reason:
            raise InputError(f"{path}: cannot be read ({reason}); try again") from error
        raise InputError(f"{path}: not a ledger ({error}); give another --ledger") from error
    if row is None:
        raise InputError(f"{path}: an unfinished ledger; remove it and run again")
    return str(row[0])


def migrate(path: Path) -> None:
    """Bring the ledger at ``path`` to this release's version, making it where there is none.

    An older ledger is first copied to ``NAME.VERSION.backup``.

    Raises:
        InputError: not a ledger, too new, a place that cannot be written, or an old SQLite.
    """
    version = check_version(path)
    if version == HEAD:
        return
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise InputError(
            f"{path}: a ledger takes SQLite 3.35 or newer, and this Python has "
            f"{sqlite3.sqlite_version}; use another Python"
        )
    try:
        if version is None:
            with atomic_path(path.resolve()) as part:
                create(part)
        else:
            _back_up(path, beside(path, f".{version}.backup"))
            upgrade_to(path)
    except (OSError, sqlite3.Error, LedgerFailure) as error:
        raise InputError(f"{path}: cannot be written ({told(error)})") from error


def migrate_unless_busy(path: Path) -> None:
    """Migrate the ledger at ``path`` for a command that only reads it.

    Raises:
        LockHeld: it is of an older version, and a run of that older release works on it.
        InputError: as for ``migrate``.
    """
    if check_version(path) != HEAD:
        with sole_writer(path) as held:
            held.migrate()


def create(path: Path) -> None:
    """Make a ledger at once, as all the migrations one after the other would; a test holds that.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    schema = files(database).joinpath("schema.sql").read_text(encoding="utf-8")
    with closing(connected(path, "rwc")) as new:
        new.executescript(schema)


def upgrade_to(path: Path, version: str = HEAD) -> None:
    """Bring the file at ``path``, empty or a ledger, to ``version``, this release's as a rule.

    Raises:
        LedgerFailure: it cannot be written.
    """
    # SQLAlchemy and Alembic take half a second to import, and most commands need no migration.
    from curator.ledger.database.upgrade import upgrade  # noqa: PLC0415

    upgrade(path, version)


def _back_up(path: Path, copy: Path) -> None:
    with (
        atomic_path(copy) as part,
        closing(connected(path, "ro")) as source,
        closing(connected(part, "rwc")) as target,
    ):
        source.backup(target)


class HeldLedger:
    """A ledger that this process alone writes, from before it is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hold = FileHold()

    def hold(self) -> None:
        """Hold the file itself, if it is there: another name of it leads to the same one.

        Raises:
            LockHeld: another process holds it.
        """
        if self._path.exists() and not self._hold.take(self._path):
            raise LockHeld(f"{_held_words(self._path)} under another name; {_WAIT}")

    def migrate(self) -> None:
        """Bring the ledger to this release's version, making it where there is none.

        Raises:
            InputError: as for ``migrate``.
        """
        migrate(self._path)
        self.hold()

    def release(self) -> None:
        """Let go of the file."""
        self._hold.release()


@contextmanager
def sole_writer(path: Path) -> Iterator[HeldLedger]:
    """Hold the ledger's lock; the system lets go of it however the process ends.

    Raises:
        LockHeld: another process holds it, under whichever name.
        InputError: the folder cannot be written.
    """
    with sole(beside(path, LOCK), _held_words(path), _WAIT):
        held = HeldLedger(path)
        try:
            held.hold()
            yield held
        finally:
            held.release()


def is_at_work(path: Path) -> bool:
    """Return whether a run has the ledger at ``path`` at present."""
    return is_held(beside(path, LOCK))


@contextmanager
def at_rest(path: Path) -> Iterator[None]:
    """Keep runs from the ledger at ``path`` for the time of the block; writes nothing beside it.

    Raises:
        LockHeld: a run works on it.
    """
    hold = FileHold()
    try:
        if is_at_work(path) or (path.exists() and not hold.take(path)):
            raise LockHeld(f"{_held_words(path)}; {_WAIT}")
        yield
    finally:
        hold.release()


def _held_words(path: Path) -> str:
    return f"{path}: another `curator run` works on this ledger"
