"""The finished runs below some folders, with what their small files say; and what is left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from evaluator.runs.folder import PARQUET_FILE, SCORECARD_FILE, SHARDS_FOLDER
from evaluator.runs.record import RUN_FILE, EvaluationRecord, read_record, shown_facts
from evaluator.runs.status import STATUS_FILE
from evaluator.scoring.scorecard import Scorecard, read_scorecard
from shared.corpus import read_json
from shared.errors import InputError
from shared.questions.answers import spaced

_DEPTH: Final = 4
"""Folders below the one that is given are looked through so far down."""


@dataclass(frozen=True)
class Entry:
    """A finished run, called as `evaluator compare` calls it, and when it was finished.

    ``name`` is the one in its record, by default ``place``, which is where it lies below the folder
    that was given; ``place`` too where two runs have one name.
    ``finished_at`` is in seconds since the epoch; unless it ``is_noted`` in the folder, it is when
    the scorecard's file was written, or copied. ``rows_sha256`` is of what was
    asked, in any order; ``facts`` are what is known of how it was made.
    """

    name: str
    place: str
    folder: Path
    finished_at: float
    is_noted: bool
    record: EvaluationRecord
    scorecard: Scorecard
    rows_sha256: str
    facts: Mapping[str, str]

    @property
    def model(self) -> str:
        """Return the model that answered; the file of predictions where nobody knows."""
        return self.facts.get("model") or self.facts.get("predictions", "")

    @property
    def adapter(self) -> str:
        """Return the adapter, or the names of several, or nothing."""
        return self.facts.get("adapter") or ", ".join(self.record.adapters)

    @property
    def data(self) -> str:
        """Return what the data is called."""
        return self.facts.get("data") or self.facts.get("references_from", "")


@dataclass(frozen=True)
class Unread:
    """A run folder that is no entry, and why."""

    name: str
    reason: str


def find_entries(folders: Sequence[Path]) -> tuple[list[Entry], list[Unread]]:
    """Return the finished runs in and below some folders, the oldest first, and those left out.

    Raises:
        InputError: a folder is missing, or no run is finished.
    """
    entries: list[Entry] = []
    unread: list[Unread] = []
    for root in folders:
        if not root.is_dir():
            raise InputError(f"{root}: no such folder")
        for folder in _run_folders(root, _DEPTH):
            place = _place(folder, root)
            try:
                entries.append(_entry(place, folder))
            except InputError as error:
                unread.append(Unread(place, str(error)))
    if not entries:
        places = ", ".join(str(root) for root in folders)
        why = f" ({unread[0].reason})" if unread else ""
        raise InputError(f"{places}: no finished run{why}; `evaluator run --out` makes one")
    return sorted(_named_apart(entries), key=lambda entry: (entry.finished_at, entry.name)), unread


def _run_folders(folder: Path, depth: int) -> Iterator[Path]:
    if any((folder / name).is_file() for name in (SCORECARD_FILE, RUN_FILE)):
        yield folder
    if depth:
        for below in sorted(folder.iterdir()):
            if below.is_dir() and not below.is_symlink() and below.name != SHARDS_FOLDER:
                yield from _run_folders(below, depth - 1)


def _entry(place: str, folder: Path) -> Entry:
    path = folder / SCORECARD_FILE
    if not path.is_file():
        raise InputError(f"{folder}: not finished; the same command goes on with it")
    scorecard, record = read_scorecard(path), read_record(folder)
    facts = dict(shown_facts(record, scorecard.provenance, scorecard.signatures))
    rows = _rows_digest(folder / PARQUET_FILE)
    noted = _noted_at(folder, record)
    finished_at = path.stat().st_mtime if noted is None else noted
    return Entry(
        record.name or place,
        place,
        folder,
        finished_at,
        noted is not None,
        record,
        scorecard,
        rows_sha256=rows,
        facts=facts,
    )


def _rows_digest(path: Path) -> str:
    """Return a hash of image, question and reference of all rows, in any order."""
    names = ["filename", "question", "answer"]
    try:
        table = pq.read_table(path, columns=names)
        columns = [table[name].to_pylist() for name in names]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{path}: unreadable ({str(error).splitlines()[0]})") from error
    plain = lru_cache(maxsize=None)(spaced)
    rows = sorted(
        (image or "", plain(question), plain(answer))
        for image, question, answer in zip(*columns, strict=True)
    )
    return hashlib.sha256("\0".join(map("\1".join, rows)).encode()).hexdigest()


def _noted_at(folder: Path, record: EvaluationRecord) -> float | None:
    """Return when the driver noted last, or the file was scored; releases before noted no such."""
    if (folder / STATUS_FILE).is_file():
        noted = read_json(folder / STATUS_FILE).get("updated_at")
        if isinstance(noted, int | float):
            return float(noted)
    return record.scored_at


def _place(folder: Path, root: Path) -> str:
    below = folder.relative_to(root).as_posix()
    return folder.resolve().name if below == "." else below


def _named_apart(entries: Sequence[Entry]) -> list[Entry]:
    called = Counter(entry.name for entry in entries)
    named = [
        entry if called[entry.name] == 1 else replace(entry, name=entry.place) for entry in entries
    ]
    for name, runs in Counter(entry.name for entry in named).items():
        if runs > 1:
            raise InputError(f"{name}: two of the runs are called so; give the folder above both")
    return named
