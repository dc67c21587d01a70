"""``trainer push``: an adapter or a model, to a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import Agreed, DryRun, License, Private


def push(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of an adapter, or of a merged model.", show_default=False),
    ],
    name: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="The repository.", show_default=False)
    ],
    *,
    scorecard: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="A run folder of `evaluator run`, whose figures go on the card."
        ),
    ] = None,
    license_name: License = "",
    private: Private = False,
    dry_run: DryRun = False,
    yes: Agreed = False,
) -> None:
    """Send an adapter or a model to the hub that HF_ENDPOINT names, in one commit."""
    # pydantic takes a while to import; --help need not wait for it.
    from shared.hub.push import Order
    from trainer.publishing.push import push_model

    push_model(
        folder,
        name,
        Order(private=private, dry_run=dry_run, agreed=yes),
        scorecard=scorecard,
        license_name=license_name,
        tell=typer.echo,
    )
