"""``evaluator check`` and ``evaluator unpack``: data before it is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from evaluator.commands.given.options import AsJson, Columns
from shared.errors import AboVqaError, InputError
from shared.program.command_line.next_step import tell_next


def check(
    *,
    data: Annotated[
        str, typer.Option(help="A data set folder, or a file of pairs; a path or a URL.")
    ],
    images: Annotated[
        str | None,
        typer.Option(
            help="Also compare the pictures, and find missing ones; those within or beside the "
            "data are compared in any case."
        ),
    ] = None,
    columns: Columns = None,
    as_json: AsJson = False,
) -> None:
    """Look for leaks between splits and for contradictions.

    The exit code is 1 where a split leaks.
    """
    from rich.console import Console

    from evaluator.comparing.tables import check_table
    from evaluator.runs.places import last_name
    from shared.corpus import parse_columns, read_pair_table, say_left_out
    from shared.dataset.check import SHOWN, SPLIT_ANEW, check_data, leak_text
    from shared.images.names import find_images
    from shared.images.source import require_images
    from shared.questions.types import type_shares

    rows, folder = _rows_and_images(data, images)
    table = read_pair_table(rows, parse_columns(columns))
    say_left_out(rows, table.left_out)
    pairs = table.pairs
    if folder is not None:
        found = find_images((pair.filename for pair in pairs), folder)
        if images is None and len(found.missing) == len({pair.filename for pair in pairs}):
            # What lies beside the data by chance has nothing to do with them.
            folder = None
        else:
            pairs = found.renamed(pairs)
            require_images(str(folder), (pair.filename for pair in pairs))
    result = check_data(pairs, folder, table.left_out)
    types = type_shares(pair.question for pair in pairs)
    if as_json:
        typer.echo(json.dumps({**result.to_json(), "question_types": types}, ensure_ascii=False))
    else:
        Console().print(check_table(last_name(data), result, types))
        for conflict in result.conflicts[:SHOWN]:
            answers = " / ".join(conflict.answers)
            typer.echo(f"contradiction: {conflict.filename} {conflict.question!r}: {answers}")
        if not result.leaks:
            pictures = [] if images is None else ["--images", images]
            tell_next(*_after_check(result.pairs_by_split), "--data", data, *pictures)
    if result.leaks:
        raise AboVqaError(f"{data}: {leak_text(result.leaks)}; {SPLIT_ANEW}")


def _after_check(pairs_by_split: Mapping[str, int]) -> list[str]:
    """Return what one does with data: train, unless it is divided and nothing is for training."""
    if "train" in pairs_by_split or "" in pairs_by_split:
        return ["trainer", "fit", "RECIPE.toml", "--out", "adapter"]
    return ["evaluator", "run", "--model", "MODEL", "--out", "RUN"]


def _rows_and_images(data: str, images: str | None) -> tuple[Path, Path | None]:
    """Return the rows, and the folder of their pictures if it is known."""
    from shared.dataset.opening import data_with_pictures
    from shared.images.stores import folder_of, local_data, local_images

    rows = local_data(data)
    if images is None:
        found = data_with_pictures(rows)
        return (rows, None) if found is None else (found.rows, found.folder)
    folder = folder_of(local_images(images))
    if not folder.is_dir():
        raise InputError(f"--images {images}: no such folder")
    return rows, folder


def unpack(
    *,
    data: Annotated[
        list[str],
        typer.Option(
            help="The data set's folder, or one of its files; may be repeated; a path or a URL."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder to make.")],
) -> None:
    """Save the pictures within data as files of their own.

    Of Parquet, or of tables and JSON with base64. Other commands take such data as they are, and
    keep the pictures in the cache.
    """
    from shared.corpus.unpacking import IMAGES_FOLDER, unpack_pictures
    from shared.images.stores import local_data

    made = unpack_pictures([local_data(file) for file in data], out)
    typer.echo(f"{out / made.file}: {made.rows:,} rows")
    typer.echo(f"{out / IMAGES_FOLDER}: {made.images:,} pictures")
    tell_next("evaluator", "check", "--data", out / made.file, "--images", out / IMAGES_FOLDER)
