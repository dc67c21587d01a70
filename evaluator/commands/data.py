"""``evaluator check`` and ``evaluator unpack``: data before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluator.commands.options import AsJson, Columns
from evaluator.comparing.tables import check_table
from shared.corpus import parse_columns, read_pair_table, say_left_out
from shared.corpus.unpacking import IMAGES_FOLDER, ROWS_FILE, unpack_pictures
from shared.dataset.check import SHOWN, SPLIT_ANEW, check_data, leak_text
from shared.errors import AboVqaError, InputError
from shared.images.names import find_images
from shared.images.source import require_images
from shared.questions.types import type_shares


def check(
    data: Annotated[Path, typer.Argument(help="A data set folder, or a file of pairs.")],
    images: Annotated[
        Path | None, typer.Option(help="Also compare the pictures, and find missing ones.")
    ] = None,
    columns: Columns = None,
    as_json: AsJson = False,
) -> None:
    """Look for leaks between splits and for contradictions.

    The exit code is 1 where a split leaks.
    """
    if images is not None and not images.is_dir():
        raise InputError(f"--images {images}: no such folder")
    table = read_pair_table(data, parse_columns(columns))
    say_left_out(data, table.left_out)
    pairs = table.pairs
    if images is not None:
        pairs = find_images((pair.filename for pair in pairs), images).renamed(pairs)
        require_images(str(images), (pair.filename for pair in pairs))
    result = check_data(pairs, images, table.left_out)
    types = type_shares(pair.question for pair in pairs)
    if as_json:
        typer.echo(json.dumps({**result.to_json(), "question_types": types}, ensure_ascii=False))
    else:
        Console().print(check_table(data.name, result, types))
        for conflict in result.conflicts[:SHOWN]:
            answers = " / ".join(conflict.answers)
            typer.echo(f"contradiction: {conflict.filename} {conflict.question!r}: {answers}")
    if result.leaks:
        raise AboVqaError(f"{data}: {leak_text(result.leaks)}; {SPLIT_ANEW}")


def unpack(
    files: Annotated[
        list[Path], typer.Argument(help="Parquet files of one data set, or their folder.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="A folder to make.")],
) -> None:
    """Save the pictures within Parquet files as files of their own.

    The hub's data sets come so. Then give --data OUT/rows.parquet --images OUT/images.
    """
    made = unpack_pictures(files, out)
    typer.echo(f"{out / ROWS_FILE}: {made.rows:,} rows")
    typer.echo(f"{out / IMAGES_FOLDER}: {made.images:,} pictures")
