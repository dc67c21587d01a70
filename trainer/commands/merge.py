"""``trainer merge``: an adapter into its base."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from shared.program.command_line.next_step import tell_next
from shared.vqa.adapting.named_folder import named_folder
from trainer.commands.options import AsJson, OneAdapter, Out
from trainer.commands.printing.next_commands import evaluating_on_pairs_of


def merge(
    *,
    adapter: OneAdapter,
    out: Out,
    images: Annotated[
        str | None,
        typer.Option(help="Folder of the kept pairs' images.", show_default="as trained"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write W0 + BA as a plain model in 16 bits, and say what merging changed."""
    from rich.console import Console

    from shared.images.stores import local_folder
    from trainer.commands.printing.tables import merge_table
    from trainer.fitting.record import require_record

    folder = named_folder(adapter)[1]
    require_record(folder)
    # torch takes seconds to import; a folder that is no run's need not wait for it.
    from trainer.merging.merge import merge as merge_adapter

    result = merge_adapter(folder, out, local_folder(images))
    if as_json:
        typer.echo(
            json.dumps({**asdict(result), "folder": str(out), "difference": result.difference})
        )
        return
    Console().print(merge_table(result))
    typer.echo(result.sentence())
    tell_next(*evaluating_on_pairs_of(folder, out))
