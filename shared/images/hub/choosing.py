"""Which files of a place on the hub are fetched: of data, pictures or a catalogue; pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from shared.corpus import DATA_SUFFIXES, MANIFEST_FILE, QA_FILE
from shared.corpus.unpacking import IMAGES_FOLDER, folder_of_parquet
from shared.errors import InputError
from shared.images.formats import is_picture

HERE: Final = PurePosixPath()
COLUMNAR: Final = frozenset({".parquet", ".pq", ".arrow", ".feather"})
TABLES: Final = frozenset({*DATA_SUFFIXES, *COLUMNAR, ".txt", ".xml", ".rss", ".atom", ".gz"})
"""The ends of the names of files that may be a catalogue."""
Wanted = tuple[Sequence[PurePosixPath], PurePosixPath]
"""The files to fetch, and what of them is meant: a file, or "." for the folder."""


def data_files(address: str, names: Sequence[PurePosixPath]) -> Wanted:
    """Return what is a data set: a folder of ours, the Parquet files, or the only file of rows.

    Raises:
        InputError: there is none, or more than one.
    """
    if PurePosixPath(QA_FILE) in names:
        ours = {QA_FILE, MANIFEST_FILE}
        inside = {IMAGES_FOLDER, "data"}
        return [name for name in names if str(name) in ours or name.parts[0] in inside], HERE
    if any(name.suffix == ".parquet" for name in names):
        folder = folder_of_parquet(address, names)
        return [
            name for name in names if name.parent == folder and name.suffix == ".parquet"
        ], folder
    rows = [name for name in names if name.suffix.lower() in DATA_SUFFIXES]
    if len(rows) != 1:
        listed = ", ".join(map(str, rows[:4])) or "none"
        raise InputError(
            f"{address}: one file of rows was expected there; there are: {listed}; give one as "
            f"{address.rstrip('/')}/FILE, or @~parquet behind its name for the hub's own Parquet"
        )
    return rows, rows[0]


def pictures(address: str, names: Sequence[PurePosixPath]) -> Wanted:
    """Return the pictures.

    Raises:
        InputError: there are none.
    """
    found = [name for name in names if is_picture(name)]
    if not found:
        raise InputError(f"{address}: holds no pictures")
    return found, HERE


def catalogue_files(address: str, names: Sequence[PurePosixPath]) -> Wanted:
    """Return a data set, or the pictures where there are some, with the tables among them.

    Raises:
        InputError: there is neither.
    """
    if any(name.suffix == ".parquet" for name in names) or not any(map(is_picture, names)):
        return data_files(address, names)
    return [name for name in names if is_picture(name) or name.suffix.lower() in TABLES], HERE


def table_and_pictures(
    address: str, names: Sequence[PurePosixPath], *, table: PurePosixPath
) -> Wanted:
    """Return a table with all pictures that it may name.

    Raises:
        InputError: there is no such table.
    """
    if table not in names:
        raise InputError(f"{address}: the data set has no such file or folder")
    return [name for name in names if name == table or is_picture(name)], table
