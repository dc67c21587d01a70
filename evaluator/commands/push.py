"""``evaluator push``: a run's figures, onto the card of the model that answered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def push(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.", show_default=False)],
    name: Annotated[
        str,
        typer.Argument(metavar="OWNER/NAME", help="The model's repository.", show_default=False),
    ],
    *,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="Send the answers too, with their questions.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="PAGE", help="Send a page of `evaluator report` too."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and send nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="The model is what answered, whatever the files say.")
    ] = False,
) -> None:
    """Put a run's figures on the card of the model that answered, in one commit."""
    from evaluator.reporting.parcel import WithIt, run_parcel
    from shared.hub.figures import read_scored_model
    from shared.hub.parcel import Kind
    from shared.hub.push import Order, push_to, require_ready, tell_parcel
    from shared.hub.sending import card_of, require_there

    read_scored_model(run)
    require_ready(name, Order(dry_run=dry_run))
    repository = require_there(Kind.MODEL, name)
    parcel = run_parcel(run, name, card_of(repository), WithIt(predictions, report), agreed=yes)
    if dry_run:
        tell_parcel(repository, parcel, folder=run, tell=typer.echo)
        return
    push_to(
        repository, parcel, folder=run, message=f"Add the figures of {run.name}", tell=typer.echo
    )
