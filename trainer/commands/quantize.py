"""``trainer quantize``: fewer bits where they matter least, under a budget."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shared.program.command_line.next_step import tell_next
from trainer.commands.options import AsJson, Out
from trainer.commands.printing.next_commands import evaluating_model


class MethodName(StrEnum):
    """``trainer.quantizing.rounding.Method``, without importing torch for ``--help``."""

    NEAREST = "nearest"
    HQQ = "hqq"
    GPTQ = "gptq"


def quantize(
    *,
    model: Annotated[
        str,
        typer.Option("--model", help="Model: a folder, a hub id or blip-vqa-tiny."),
    ],
    out: Out,
    budget_mb: Annotated[
        float | None,
        typer.Option(
            help="Megabytes that the file of weights may take.", min=0, show_default=False
        ),
    ] = None,
    bits: Annotated[
        float | None,
        typer.Option(
            help="Bits of a rounded weight on average, scales included.",
            min=0,
            max=16,
            show_default=False,
        ),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="Folder of a finished run, merged in first.")
    ] = None,
    method: Annotated[
        MethodName,
        typer.Option(help="How weights are rounded: gptq looks at the calibration questions."),
    ] = MethodName.GPTQ,
    data: Annotated[
        str | None,
        typer.Option(
            help="Questions to calibrate and to check with: a path or a URL.",
            show_default="the adapter's",
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(help="Folder of its images.", show_default="as trained, or within --data"),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD=COLUMN,...",
            help="Columns of --data whose names cannot be guessed, such as answer=ground_truth.",
        ),
    ] = None,
    questions: Annotated[int, typer.Option(help="Questions to calibrate with.", min=1)] = 64,
    check_questions: Annotated[
        int, typer.Option(help="Questions about other images to check with.", min=1)
    ] = 200,
    as_json: AsJson = False,
) -> None:
    """Round weights to fewer bits where that loses least, and show what each size keeps.

    Given again, it goes on where it stopped.
    """
    given = dict(locals())
    from rich.console import Console

    from shared.corpus import parse_columns
    from trainer.api import quantize_given

    result = quantize_given(given | {"method": method.value, "columns": parse_columns(columns)})
    if as_json:
        typer.echo(json.dumps({**asdict(result), "folder": str(out)}))
        return
    Console().print(result.table())
    typer.echo(result.sentence())
    tell_next(*evaluating_model(out, data, images))
