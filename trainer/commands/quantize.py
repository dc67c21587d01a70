"""``trainer quantize``: fewer bits where they matter least, under a budget."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import InputError
from shared.program.command_line.next_step import tell_next
from trainer.commands.next_commands import evaluating_model
from trainer.commands.options import AsJson, Out


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
    from rich.console import Console

    from shared.corpus import parse_columns
    from shared.dataset.opening import opened_data
    from shared.images.stores import local_folder
    from shared.vqa.names.model_names import resolve_model

    if (budget_mb is None) == (bits is None):
        raise InputError("give --budget-mb or --bits, and not both")
    resolve_model(model)
    if adapter is not None:
        from trainer.fitting.record import require_record

        require_record(adapter)
    rows, folder = None, local_folder(images)
    if data is not None:
        opened = opened_data(data, images)
        rows, folder = opened.rows, Path(opened.images)
    elif adapter is None:
        raise InputError("--data: give the questions to calibrate and to check with")
    # torch takes seconds to import; what is misspelt need not wait for it.
    from trainer.quantizing.card import quantize_table
    from trainer.quantizing.order import QuantizeOrder
    from trainer.quantizing.quantize import quantize as quantize_model
    from trainer.quantizing.rounding import Method

    result = quantize_model(
        QuantizeOrder(
            model=model,
            out=out,
            adapter=adapter,
            budget_mb=budget_mb,
            bits=bits,
            method=Method(method.value),
            data=rows,
            images=folder,
            columns=parse_columns(columns),
            questions=questions,
            check_questions=check_questions,
        )
    )
    if as_json:
        typer.echo(json.dumps({**asdict(result), "folder": str(out)}))
        return
    Console().print(quantize_table(result))
    chosen = result.chosen
    typer.echo(
        f"{out}: {result.weights_bytes / 1e6:,.2f} MB of weights, {chosen.bits:.2f} bits each; "
        f"keeps {100 * chosen.same.share:.1f}% of the answers; the knee is {result.knee}"
    )
    tell_next(*evaluating_model(out, data, images))
