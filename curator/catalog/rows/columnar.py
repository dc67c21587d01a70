"""Rows of Parquet and of Arrow files; pictures within them become files beside.

The files may be one table's shards. A cell that holds a picture becomes the name of its file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from curator.catalog.rows.row import Rows, rows_of_objects
from shared.errors import InputError
from shared.files.embedded_pictures import picture_suffix, picture_written
from shared.value_class import value_class

PARQUET: Final = frozenset({".parquet", ".pq"})
ARROW: Final = frozenset({".arrow", ".feather"})
_BATCH_ROWS: Final = 64
"""Rows whose pictures are held at once."""
_FULLEST_PARTS: Final = ("bytes", "content", "data")


def is_columnar(path: Path) -> bool:
    """Return whether a file's name says that it is Parquet or Arrow."""
    return path.suffix.lower() in PARQUET | ARROW


def holds_pictures(file: Path) -> bool:
    """Return whether a picture stands in the first rows of a file, rather than its name.

    Raises:
        InputError: it cannot be read.
    """
    with _reading([file]), _opened(file) as table:
        first = next(table.batches, None)
        rows = [] if first is None else first.slice(0, _BATCH_ROWS).to_pylist()
        return any(_is_picture(cell) for row in rows for cell in row.values())


def _is_picture(cell: object) -> bool:
    match cell:
        case bytes():
            return picture_suffix(cell) is not None
        case dict():
            return any(map(_is_picture, cell.values()))
        case list():
            return any(map(_is_picture, cell))
    return False


@contextmanager
def columnar_rows(files: Sequence[Path], images_dir: Path) -> Iterator[Rows]:
    """Yield the rows of ``files``; the pictures within are written below ``images_dir``.

    Raises:
        InputError: a file cannot be read, has other columns than the first, or a picture cannot be
            written.
    """
    with _reading(files):
        _require_one_table(files)
        yield rows_of_objects(_rows(files, images_dir))


@contextmanager
def _reading(files: Sequence[Path]) -> Iterator[None]:
    import pyarrow.lib  # noqa: PLC0415 (a quarter of a second that other tables need not wait for)

    try:
        yield
    except (OSError, pyarrow.lib.ArrowException) as error:
        where = files[0] if len(files) == 1 else f"{files[0]} or one of its {len(files)} shards"
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{where}: cannot be read ({reason})") from error


@value_class
class _Table:
    """An open file: its columns, its batches of rows, and the words that numbers stand for."""

    columns: Sequence[str]
    batches: Iterator[Any]
    labels: Mapping[str, Sequence[str]]


@contextmanager
def _opened(file: Path) -> Iterator[_Table]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    if file.suffix.lower() in PARQUET:
        with pq.ParquetFile(file) as table:
            schema = table.schema_arrow
            yield _Table(schema.names, table.iter_batches(_BATCH_ROWS), _labels(schema))
        return
    with pa.memory_map(str(file)) as source:
        try:
            # As `datasets` keeps them; Feather is the form with an index at its end.
            opened = pa.ipc.open_stream(source)
            batches = iter(opened)
        except pa.ArrowInvalid:
            opened = pa.ipc.open_file(source)
            batches = map(opened.get_batch, range(opened.num_record_batches))
        yield _Table(opened.schema.names, batches, _labels(opened.schema))


def _labels(schema: Any) -> dict[str, Sequence[str]]:  # noqa: ANN401 - a schema of Arrow's
    """Return the names of classes by column, which `datasets` keeps beside their numbers."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told.get("info", {}).get("features", {})
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, AttributeError, KeyError):
        return {}


def _require_one_table(files: Sequence[Path]) -> None:
    if len(files) == 1:
        return
    columns: set[str] = set()
    for file in files:
        # One after the other, for there may be more than a process can have open.
        with _opened(file) as table:
            columns = columns or set(table.columns)
            if set(table.columns) != columns:
                raise InputError(
                    f"{file}: has other columns than {files[0]}; they are several tables: give one"
                )


def _rows(files: Sequence[Path], images_dir: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    numbers = count(1)
    for file in files:
        with _opened(file) as table:
            for batch in table.batches:
                for start in range(0, batch.num_rows, _BATCH_ROWS):
                    for row in batch.slice(start, _BATCH_ROWS).to_pylist():
                        yield next(numbers), _with_files(_in_words(row, table.labels), images_dir)


def _in_words(row: dict[str, Any], labels: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    for column, names in labels.items():
        number = row.get(column)
        if isinstance(number, int) and number in range(len(names)):
            row[column] = names[number]
    return row


def _with_files(row: Mapping[str, Any], images_dir: Path) -> dict[str, Any]:
    try:
        return {name: _named(cell, images_dir) for name, cell in row.items()}
    except InputError as error:
        raise InputError(f"{error}; say with --images DIR where pictures within go") from error


def _named(cell: Any, images_dir: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return a cell without bytes: pictures by the names of their files, other bytes left out."""
    match cell:
        case bytes():
            is_picture = picture_suffix(cell) is not None
            return picture_written(cell, images_dir) if is_picture else None
        case dict():
            content = next((cell[p] for p in _FULLEST_PARTS if isinstance(cell.get(p), bytes)), b"")
            if content:
                return picture_written(content, images_dir)
            named = {name: _named(part, images_dir) for name, part in cell.items()}
            return named["path"] if named.keys() == {"bytes", "path"} else named
        case list() if cell and all(isinstance(part, tuple) for part in cell):
            # A map.
            return {str(name): _named(part, images_dir) for name, part in cell}
        case list():
            return [_named(part, images_dir) for part in cell]
    return cell
