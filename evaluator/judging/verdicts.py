"""What judges said, in one SQLite file: nothing is asked, or paid for, twice.

Several programs may use it at a time. Of two that ask the same at once, what the first one heard
counts for both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

import orjson

from evaluator.endpoints.journal import Asked
from shared.errors import InputError
from shared.files.cache import cache_folder
from shared.program.full_disk import MAKE_ROOM, NotWritten

_BUSY_S: Final = 60.0
_FIELDS: Final = frozenset(field.name for field in fields(Asked))
_TABLE: Final = "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, asked BLOB NOT NULL)"
_KEYS_AT_ONCE: Final = 500


def verdicts_file() -> Path:
    """Return where verdicts are kept unless a user says otherwise."""
    return cache_folder("judge") / "verdicts.sqlite"


class Verdicts:
    """Replies of judges by key; satisfies ``evaluator.endpoints.workers.Kept``.

    What got no reply is remembered for as long as this lives, and asked again by the next one.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            InputError: it is something else, or cannot be made.
        """
        self._path = path
        self._answers: dict[str, Asked] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path.parent}: cannot be made ({error.strerror})") from error
        with self._opened() as database:
            _require_own(database, path)
            database.execute(_TABLE)

    @property
    def answers(self) -> Mapping[str, Asked]:
        """All that was read or heard."""
        return self._answers

    def read(self, keys: list[str]) -> None:
        """Look which of some cases were judged before."""
        missing = [key for key in keys if key not in self._answers]
        with self._opened() as database:
            for start in range(0, len(missing), _KEYS_AT_ONCE):
                part = missing[start : start + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(part))
                found = database.execute(
                    f"SELECT key, asked FROM verdicts WHERE key IN ({marks})",  # noqa: S608
                    part,
                )
                self._answers.update((key, _asked(value)) for key, value in found)

    def keep(self, key: str, asked: Asked) -> None:
        """Write what came of a case; what another program wrote meanwhile counts."""
        self._answers[key] = asked
        if asked.failure and not asked.latency_s:
            return
        with self._opened() as database:
            value = orjson.dumps(asdict(asked))
            database.execute("INSERT OR IGNORE INTO verdicts VALUES (?, ?)", (key, value))
            [[kept]] = database.execute("SELECT asked FROM verdicts WHERE key = ?", (key,))
        if kept != value:
            self._answers[key] = _asked(kept)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Give the file for one transaction.

        Raises:
            InputError: it is none of ours, or may not be written.
            NotWritten: the disk takes no more, or another program holds it for long.
        """
        # Opened for each: that takes a tenth of a millisecond, and what it follows a second.
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as database, database:
                yield database
        except sqlite3.OperationalError as error:
            if "open" in str(error) or "readonly" in str(error):
                raise InputError(
                    f"{self._path}: {error}; name a file that may be written with --judge-cache"
                ) from error
            raise NotWritten(f"{self._path}: {error}; {MAKE_ROOM}") from error
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise InputError(
                f"{self._path}: holds no verdicts of judges ({error}); give another file by "
                "--judge-cache, or remove it"
            ) from error


def _require_own(database: sqlite3.Connection, path: Path) -> None:
    """Check that a file has no tables but ours: a ledger, say, is not to get one more."""
    found = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    if found not in ([], [("verdicts", _TABLE.replace("IF NOT EXISTS ", ""))]):
        raise InputError(
            f"{path}: is a database of something else; give another file by --judge-cache"
        )


def _asked(value: bytes) -> Asked:
    table = orjson.loads(value)
    return Asked(**{name: table[name] for name in table if name in _FIELDS})
