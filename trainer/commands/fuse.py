"""``trainer fuse``: adapters of several domains into one."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from shared.errors import InputError
from shared.program.command_line.next_step import tell_next
from shared.vqa.adapting.named_folder import named_folder
from trainer.commands.options import AsJson, Out
from trainer.commands.printing.next_commands import evaluating


class FusionName(StrEnum):
    """``trainer.merging.fusion.Fusion``, without importing torch for ``--help``."""

    LINEAR = "linear"
    TIES = "ties"
    DARE_LINEAR = "dare_linear"
    DARE_TIES = "dare_ties"


def fuse(
    *,
    adapter: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]DIR",
            help="Folder of a finished run, and what its domain is called; two or more.",
            show_default=False,
        ),
    ],
    out: Out,
    method: Annotated[
        FusionName,
        typer.Option(help="Way to combine the updates: their weighted sum, or pruned first."),
    ] = FusionName.LINEAR,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Weight of each adapter, with commas between them.", show_default="equal"
        ),
    ] = None,
    density: Annotated[
        float, typer.Option(help="Share of an update that TIES and DARE keep.", min=0.01, max=1)
    ] = 0.5,
    images: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder of the images, or one for each adapter.", show_default="as trained"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of what DARE drops.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make one adapter of several domains' adapters, and show what each domain forgot."""
    from rich.console import Console

    from shared.images.stores import folder_of, local_images
    from trainer.commands.printing.tables import fuse_table
    from trainer.fitting.record import require_record

    adapters = [named_folder(word) for word in adapter]
    for _, folder in adapters:
        require_record(folder)
    # torch takes seconds to import; a folder that is no run's need not wait for it.
    from trainer.merging.fuse import fuse as fuse_adapters
    from trainer.merging.fusion import Fusion

    result = fuse_adapters(
        [folder for _, folder in adapters],
        out,
        names=[name for name, _ in adapters],
        method=Fusion(method.value),
        weights=_numbers(weights),
        density=density,
        images=[folder_of(local_images(folder)) for folder in images or ()],
        seed=seed,
    )
    if as_json:
        domains = [{**asdict(d), "forgotten": d.forgotten} for d in result.domains]
        typer.echo(json.dumps({"folder": str(out), "rank": result.rank, "domains": domains}))
        return
    Console().print(fuse_table(result))
    typer.echo(f"{out}: one adapter of rank {result.rank}")
    tell_next(*evaluating(out))


def _numbers(text: str | None) -> list[float]:
    try:
        return [float(word) for word in text.split(",")] if text else []
    except ValueError:
        raise InputError(f"--weights {text!r}: expected numbers, such as 0.5,0.5") from None
