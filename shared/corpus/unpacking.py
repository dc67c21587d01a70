"""Makes files of pictures that stand within Parquet, as data sets from the hub have them.

Several files, such as the shards of one set, become one table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.lib
import pyarrow.parquet as pq

from shared.corpus.formats.tables import holds_pictures
from shared.errors import InputError
from shared.files.atomic import new_folder
from shared.files.embedded_pictures import picture_written
from shared.program.reporting.progress import report_progress
from shared.records import SPLIT_WORDS

ROWS_FILE: Final = "rows.parquet"
IMAGES_FOLDER: Final = "images"
_BATCH_ROWS: Final = 64
"""Rows whose pictures are held at once."""
_SHARD: Final = re.compile(r"([a-zA-Z]+)-\d+-of-\d+")


@dataclass(frozen=True)
class Unpacked:
    """How many rows there are, and how many pictures that differ."""

    rows: int
    images: int


def unpack_pictures(sources: Sequence[Path], out: Path) -> Unpacked:
    """Write the pictures of Parquet files below ``out`` by their digests, and all rows beside.

    The rows name them in a column `filename`, instead of holding them. Rows of a shard such as
    `train-00000-of-00002.parquet` get its split, where they say none.

    Raises:
        InputError: a file cannot be read, or ``out`` is there already.
    """
    try:
        with new_folder(out) as part:
            files = [file for source in sources for file in _files_of(source)]
            (part / IMAGES_FOLDER).mkdir()
            tables = list(_tables(files, part / IMAGES_FOLDER))
            table = pa.concat_tables(tables, promote_options="permissive")
            pq.write_table(table, part / ROWS_FILE)
            images = sum(1 for _ in (part / IMAGES_FOLDER).iterdir())
    except (OSError, pyarrow.lib.ArrowException) as error:
        raise InputError(f"{out}: cannot be made ({str(error).splitlines()[0]})") from error
    return Unpacked(table.num_rows, images)


def _files_of(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    files = sorted(source.glob("*.parquet"))
    if not files:
        raise InputError(f"{source}: holds no .parquet file")
    return files


def _tables(files: Sequence[Path], images: Path) -> Iterator[pa.Table]:
    with report_progress("unpacking files", len(files)) as progress:
        for path in files:
            try:
                file = pq.ParquetFile(path)
                for batch in file.iter_batches(_BATCH_ROWS):
                    yield _with_split(path, _named(pa.Table.from_batches([batch]), images))
            except (OSError, pyarrow.lib.ArrowException) as error:
                reason = str(error).splitlines()[0]
                raise InputError(f"{path}: cannot be read ({reason})") from error
            progress.advance()


def _named(table: pa.Table, images: Path) -> pa.Table:
    """Return a table whose first column of pictures names their files, without any other."""
    columns = [field.name for field in table.schema if holds_pictures(field)]
    if not columns:
        return table
    names = [_written(cell, images) for cell in table.column(columns[0]).to_pylist()]
    table = table.drop_columns(
        [name for name in (*columns, "filename") if name in table.schema.names]
    )
    return table.append_column("filename", pa.array(names, pa.string()))


def _written(cell: Any, images: Path) -> str | None:  # noqa: ANN401 (as it is in the file)
    struct = cell if isinstance(cell, dict) else {"bytes": cell}
    content = next((part for part in struct.values() if isinstance(part, bytes) and part), None)
    if content is None:
        return struct.get("path")
    return picture_written(content, images)


def _with_split(path: Path, table: pa.Table) -> pa.Table:
    shard = _SHARD.fullmatch(path.stem)
    split = SPLIT_WORDS.get(shard[1].lower()) if shard else None
    if split is None or "split" in table.schema.names:
        return table
    return table.append_column("split", pa.array([split] * table.num_rows, pa.string()))
