"""``curator dataset``: a file of pairs, such as an export that was edited, as a data set folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curator.commands.options import PushBesideOthers, PushDryRun, PushPrivately, PushTo
from curator.commands.pairs import EmbedImages, LicenseName
from shared.program.command_line.next_step import tell_next

PairsFile = Annotated[
    str,
    typer.Option(
        "--data", help="Pairs: CSV, JSON or Parquet, or a data set folder; a path or a URL."
    ),
]
ImagesFolder = Annotated[
    str | None,
    typer.Option(
        "--images",
        help="The folder that file names start from.",
        show_default="the pictures within the data, or in a folder `images` beside them",
    ),
]
OutFolder = Annotated[Path, typer.Option("--out", help="The folder to write.")]
PairColumns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="FIELD=COLUMN,...",
        help="Columns whose names cannot be guessed, such as answer=ground_truth; split= divides "
        "anew what has splits.",
    ),
]


def dataset(
    *,
    data: PairsFile,
    out: OutFolder,
    images: ImagesFolder = None,
    columns: PairColumns = None,
    embed_images: EmbedImages = False,
    license_name: LicenseName = "",
    push: PushTo = "",
    private: PushPrivately = False,
    dry_run: PushDryRun = False,
    yes: PushBesideOthers = False,
) -> None:
    """Make a data set folder of a file of pairs.

    Such as an export that was edited. A column `split` is kept; without one, no product and no
    picture comes into two splits.
    """
    from curator.commands.pairs import push_folder, require_pushable
    from shared.hub.push import Order

    order = Order(private=private, dry_run=dry_run, agreed=yes)
    require_pushable(push, order, out)
    # Arrow, for which the other commands need not wait.
    from curator.pairs.from_file import dataset_from_file
    from shared.corpus import parse_columns

    count = dataset_from_file(
        data,
        images,
        out,
        columns=parse_columns(columns),
        license_name=" ".join(license_name.split()),
        embeds=embed_images,
    )
    print(f"{count} pairs in {out}")
    if push:
        push_folder(out, push, order)
    tell_next("evaluator", "check", "--data", out)
