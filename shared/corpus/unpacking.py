"""Makes files of pictures that stand within tables: Parquet, as data sets from the hub, or base64.

Several files, such as the shards of one set, become one table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.lib
import pyarrow.parquet as pq

from shared.corpus.formats.arrow_arrays import array_of
from shared.corpus.formats.embedded import picture_column, with_named_pictures
from shared.corpus.formats.tables import (
    DATA_SUFFIXES,
    Row,
    holds_picture_lists,
    holds_pictures,
    read_raw,
)
from shared.errors import InputError
from shared.files.atomic import atomic_path, new_folder
from shared.files.embedded_pictures import picture_written
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress
from shared.records import SPLIT_WORDS

ROWS_FILE: Final = "rows.parquet"
JSON_ROWS_FILE: Final = "rows.jsonl"
IMAGES_FOLDER: Final = "images"
_PARQUET: Final = ".parquet"
_FILENAME: Final = "filename"
_BATCH_ROWS: Final = 64
"""Rows whose pictures are held at once."""
log = EventLog(__name__)
_SHARD: Final = re.compile(r"([a-zA-Z]+)-\d+-of-\d+(?:-[0-9a-f]{16})?")


@dataclass(frozen=True)
class Unpacked:
    """How many rows there are, how many pictures that differ, and the file of the rows."""

    rows: int
    images: int
    file: str


def unpack_pictures(sources: Sequence[Path], out: Path) -> Unpacked:
    """Write the pictures within files below ``out`` by their digests, and all rows beside.

    The rows name them in a column `filename`, instead of holding them. Rows of a shard such as
    `train-00000-of-00002.parquet` get its split, where they say none. Parquet becomes Parquet,
    other tables become JSON lines.

    Raises:
        InputError: a file cannot be read, or ``out`` is there already.
    """
    try:
        with new_folder(out) as part:
            files = [file for source in sources for file in files_of(source)]
            (part / IMAGES_FOLDER).mkdir()
            parquet = [file.suffix.lower() == _PARQUET for file in files]
            if any(parquet) and not all(parquet):
                raise InputError(
                    f"{out}: unpack Parquet and other files ({files[parquet.index(False)].name}) "
                    "apart"
                )
            write = _unpack_parquet if all(parquet) else _unpack_text
            rows = write(files, part)
            images = sum(1 for _ in (part / IMAGES_FOLDER).iterdir())
    except (OSError, pyarrow.lib.ArrowException) as error:
        raise InputError(f"{out}: cannot be made ({str(error).splitlines()[0]})") from error
    return Unpacked(rows, images, ROWS_FILE if all(parquet) else JSON_ROWS_FILE)


def files_of(source: Path) -> list[Path]:
    """Return the files of a data set: a file itself, or the Parquet files of a folder.

    As on the hub, these lie in the folder or in `data` below it, or in the only folder that has
    some.

    Raises:
        InputError: it has none, or several folders have some.
    """
    if not source.is_dir():
        return [source]
    names = [
        PurePosixPath(path.relative_to(source).as_posix())
        for pattern in ("*", "*/*")
        for path in source.glob(pattern + _PARQUET)
    ]
    folder = source / folder_of_parquet(str(source), names)
    return sorted(folder.glob(f"*{_PARQUET}"))


def folder_of_parquet(source: str, names: Sequence[PurePosixPath]) -> PurePosixPath:
    """Return which folder of a data set, "." for itself, has its Parquet files.

    Args:
        source: what the data set is called in errors.
        names: its files, from its folder on.

    Raises:
        InputError: none has, or several have.
    """
    folders = sorted({name.parent for name in names if name.suffix.lower() == _PARQUET})
    for folder in (PurePosixPath(), PurePosixPath("data")):
        if folder in folders:
            return folder
    if not folders:
        raise InputError(f"{source}: holds no {_PARQUET} file")
    if len(folders) > 1:
        names_shown = ", ".join(map(str, folders[:4]))
        raise InputError(
            f"{source}: has several data sets ({names_shown}, ...); give one, such as "
            f"{source.rstrip('/')}/{folders[0]}"
        )
    return folders[0]


def has_pictures(file: Path) -> bool:
    """Return whether a file of rows holds pictures, which its rows need not name.

    Raises:
        InputError: it cannot be read.
    """
    if file.suffix.lower() == _PARQUET:
        try:
            return any(map(_holds_pictures, pq.read_schema(file)))
        except (OSError, pyarrow.lib.ArrowException) as error:
            raise _unreadable(file, error) from error
    if file.suffix.lower() not in DATA_SUFFIXES:
        return False
    raw = read_raw(file)
    return picture_column(raw.columns, raw.rows) != ""


def write_named_pictures(files: Sequence[Path], out: Path) -> int:
    """Write the pictures of split files, as data set folders have them, under their own names.

    Returns how many.

    Raises:
        InputError: a file cannot be read, or a name is none below a folder.
    """
    written: set[str] = set()
    with new_folder(out) as part, report_progress("unpacking files", len(files)) as progress:
        for path in files:
            try:
                for batch in pq.ParquetFile(path).iter_batches(_BATCH_ROWS, columns=["image"]):
                    for cell in batch.column(0).to_pylist():
                        if cell and cell["bytes"] and cell["path"] not in written:
                            written.add(cell["path"])
                            _write_below(part, path, cell["path"], cell["bytes"])
            except (OSError, pyarrow.lib.ArrowException) as error:
                raise _unreadable(path, error) from error
            progress.advance()
    return len(written)


def _write_below(folder: Path, source: Path, name: str, content: bytes) -> None:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise InputError(f"{source}: a picture is called {name!r}, which is no name in a folder")
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})")


def _unpack_parquet(files: Sequence[Path], part: Path) -> int:
    tables = list(_tables(files, part / IMAGES_FOLDER))
    table = pa.concat_tables(tables, promote_options="permissive")
    pq.write_table(table, part / ROWS_FILE)
    return int(table.num_rows)


def _tables(files: Sequence[Path], images: Path) -> Iterator[pa.Table]:
    with report_progress("unpacking files", len(files)) as progress:
        for path in files:
            try:
                file = pq.ParquetFile(path)
                several = 0
                for batch in file.iter_batches(_BATCH_ROWS):
                    several += _rows_with_several(batch)
                    yield _with_split(path, _named(pa.Table.from_batches([batch]), images))
                if several:
                    log.warning(
                        "first_of_several_pictures_taken", data=path.name, rows_with_several=several
                    )
            except (OSError, pyarrow.lib.ArrowException) as error:
                raise _unreadable(path, error) from error
            progress.advance()


def _rows_with_several(batch: pa.RecordBatch) -> int:
    """Return how many rows hold more than one picture: a question is about one."""
    column = next((field.name for field in batch.schema if holds_picture_lists(field)), None)
    if column is None or any(map(holds_pictures, batch.schema)):
        return 0
    lengths = pc.fill_null(pc.list_value_length(batch.column(column)), 0)
    return int(pc.sum(pc.greater(lengths, 1)).as_py() or 0)


def _named(table: pa.Table, images: Path) -> pa.Table:
    """Return a table whose first column of pictures names their files, without any other."""
    # Of one and of several, the column that has one each is meant.
    columns = [
        field.name
        for holds in (holds_pictures, holds_picture_lists)
        for field in table.schema
        if holds(field)
    ]
    if not columns:
        return table
    names = [_written(cell, images) for cell in table.column(columns[0]).to_pylist()]
    table = table.drop_columns(
        [name for name in (*columns, _FILENAME) if name in table.schema.names]
    )
    return table.append_column(_FILENAME, array_of(names, pa.string()))


def _holds_pictures(field: pa.Field) -> bool:
    return holds_pictures(field) or holds_picture_lists(field)


def _written(cell: Any, images: Path) -> str | None:  # noqa: ANN401 (as it is in the file)
    if isinstance(cell, list):
        return _written(cell[0], images) if cell else None
    struct = cell if isinstance(cell, dict) else {"bytes": cell}
    content = next((part for part in struct.values() if isinstance(part, bytes) and part), None)
    if content is None:
        return struct.get("path")
    return picture_written(content, images)


def _with_split(path: Path, table: pa.Table) -> pa.Table:
    split = _split_of(path)
    if split is None or "split" in table.schema.names:
        return table
    return table.append_column("split", array_of([split] * table.num_rows, pa.string()))


def _split_of(path: Path) -> str | None:
    shard = _SHARD.fullmatch(path.stem)
    return SPLIT_WORDS.get((shard[1] if shard else path.stem).lower())


def _unpack_text(files: Sequence[Path], part: Path) -> int:
    count = 0
    with (
        atomic_path(part / JSON_ROWS_FILE) as lines,
        lines.open("w", encoding="utf-8") as out,
        report_progress("unpacking files", len(files)) as progress,
    ):
        for path in files:
            for row in _named_rows(path, part / IMAGES_FOLDER):
                out.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
                count += 1
            progress.advance()
    return count


def _named_rows(path: Path, images: Path) -> Iterator[Row]:
    raw = read_raw(path)
    column = picture_column(raw.columns, raw.rows)
    if not column:
        yield from raw.rows
        return
    named = with_named_pictures(raw, column, lambda content: picture_written(content, images))
    for row in named.rows:
        others = {name: cell for name, cell in row.items() if name != column}
        yield {**others, _FILENAME: row.get(column)}
