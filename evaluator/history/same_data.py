"""Which runs are about the same data: the same questions on the same images, or asked so."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import pyarrow.parquet as pq

from evaluator.history.entries import Entry
from evaluator.runs.folder import PARQUET_FILE
from shared.dataset.joined import Joined
from shared.questions.answers import spaced


def groups_by_data(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the runs about each data, in the order of each group's first run.

    Runs belong together that have the same rows, or that were asked the same and left out what
    their models had been trained on.
    """
    joined: Joined[tuple[str, str]] = Joined()
    for place, entry in enumerate(entries):
        label = ("run", f"{place:09d}")
        joined.join(label, ("rows", _rows_digest(entry)))
        trained_on = entry.record.trained_on
        asked = trained_on.asked_sha256 if trained_on else entry.record.data_sha256
        if asked:
            joined.join(label, ("asked", asked))
    groups: dict[tuple[str, str], list[Entry]] = {}
    for place, entry in enumerate(entries):
        groups.setdefault(joined.root(("run", f"{place:09d}")), []).append(entry)
    return list(groups.values())


def _rows_digest(entry: Entry) -> str:
    """Return a hash of image, question and reference of all rows, in any order."""
    names = ["filename", "question", "answer"]
    table = pq.read_table(entry.folder / PARQUET_FILE, columns=names)
    plain = lru_cache(maxsize=None)(spaced)
    rows = sorted(
        (image, plain(question), plain(answer))
        for image, question, answer in zip(*(table[n].to_pylist() for n in names), strict=True)
    )
    return hashlib.sha256("\0".join(map("\1".join, rows)).encode()).hexdigest()
