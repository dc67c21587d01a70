"""Folders that are one table: Parquet shards, what ``datasets`` saved, pictures with metadata."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from curator.catalog.catalog import AsGiven
from curator.catalog.pictures import is_folder, is_hidden
from curator.catalog.rows.columnar import PARQUET
from curator.catalog.rows.opening import rows_of
from curator.catalog.tables.table import UNPACKED, TableCatalog, checked_table
from shared.errors import InputError
from shared.images.formats import is_picture

_SAVED: Final = ("dataset_dict.json", "dataset_info.json")
"""What `datasets.save_to_disk` writes: the first for several splits, the second for each."""
_METADATA: Final = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
"""What `datasets` reads beside a folder's pictures; its `file_name` starts from there."""
_LOOKED_AT: Final = 1_000
"""Files after which a folder is one of pictures."""


def table_folder_catalog(path: Path, given: AsGiven) -> TableCatalog | None:
    """Return the table that the folder at ``path`` is; ``None`` where it is none.

    Raises:
        InputError: it holds several tables, or one that cannot be read.
    """
    if not path.is_dir():
        return None
    folders = [path, *_folders_in(path)]
    described = [folder / name for name in _METADATA for folder in folders]
    described = [file for file in described if file.is_file()]
    if len(described) == 1 and _names_files(described[0], path):
        return checked_table(path, described, AsGiven(given.images_dir or path, given.columns))
    files = _saved(path) or _shards(path)
    return checked_table(path, files, given) if files else None


def _folders_in(path: Path) -> list[Path]:
    """Return the folders in one that may hold hundreds of thousands of pictures, in one look."""
    try:
        with os.scandir(path) as entries:
            return [path / entry.name for entry in entries if is_folder(entry)]
    except OSError:
        return []


def _names_files(table: Path, folder: Path) -> bool:
    """Return whether a table has the column by which `datasets` finds the pictures."""
    with rows_of([table], folder) as rows:
        return any(name.strip().endswith(("file_name", "file_names")) for name in rows.columns)


def _saved(path: Path) -> Sequence[Path]:
    if not any((path / name).is_file() for name in _SAVED):
        return ()
    files = [*sorted(path.glob("*.arrow")), *sorted(path.glob("*/*.arrow"))]
    return [file for file in files if not file.name.startswith("cache-")]


def _shards(path: Path) -> Sequence[Path]:
    """Return the Parquet files of a folder that holds such files and no pictures."""
    below = islice(_files_below(path), _LOOKED_AT)
    shards = []
    for file in below:
        if is_picture(file):
            return ()
        if file.suffix.lower() in PARQUET:
            shards.append(file)
    return sorted(shards)


def _files_below(path: Path, deepest: int = 2) -> Iterator[Path]:
    """Yield files as they come, for a folder may hold hundreds of thousands."""
    folders, stems = [], set()
    try:
        for entry in path.iterdir():
            if is_hidden(entry.name):
                continue
            if entry.is_file():
                stems.add(entry.stem)
                yield entry
            elif deepest and entry.is_dir():
                folders.append(entry)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    for folder in folders:
        if folder.name.removesuffix(UNPACKED) in stems:
            # Pictures of one of these files, when it was a catalogue by itself.
            continue
        yield from _files_below(folder, deepest - 1)
