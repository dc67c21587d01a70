"""The argument that takes a campaign file: what it says stands under what is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _under_the_flags(context: typer.Context, path: Path | None) -> Path | None:
    """Let what the file says stand wherever nothing is typed."""
    if path is not None and not context.resilient_parsing:
        from curator.commands.campaign.campaign_file import read_campaign_file

        values = read_campaign_file(path)
        if context.info_name == "plan" and not Path(str(values.get("ledger", ""))).is_file():
            # A plan learns from a ledger, which the first run is still to make.
            values.pop("ledger", None)
        context.default_map = {**(context.default_map or {}), **values}
    return path


CampaignFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="CAMPAIGN",
        help="Campaign file (TOML) with options by name; those that are typed come first.",
        callback=_under_the_flags,
        is_eager=True,
    ),
]
