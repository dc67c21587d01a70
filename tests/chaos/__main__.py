"""``make chaos``: plays seeds, two at a time, until the time is up; prints what was lost."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from tests.chaos.playing import KINDS, LANES, WANTED, play_in_turn
from tests.chaos.report import totals
from tests.chaos.turns import Turns

app = typer.Typer(add_completion=False)


@app.command()
def chaos(
    seeds: Annotated[str, typer.Option(help="First and last seed, such as 0-99.")] = "0-999",
    minutes: Annotated[float, typer.Option(help="Most minutes; the seed at hand is played.")] = 15,
    listings: Annotated[int, typer.Option(help="Listings a campaign.")] = 200,
    kinds: Annotated[str, typer.Option(help=f"Which, with commas: {', '.join(KINDS)}.")] = ",".join(
        KINDS
    ),
) -> None:
    """Try to lose something; exit with 1 if that succeeded."""
    first, last = map(int, re.fullmatch(r"(\d+)-(\d+)", seeds).groups())
    turns = Turns(WANTED, first, last, time.monotonic() + minutes * 60)
    lanes = [[kind for kind in lane if kind in kinds.split(",")] for lane in LANES]
    with ThreadPoolExecutor(len(lanes)) as players:
        played = [players.submit(play_in_turn, turns, lane, listings) for lane in lanes if lane]
    told = [one for player in played for one in player.result()]
    for line in totals(told):
        typer.echo(line)
    raise typer.Exit(1 if any(one.lost for _, one in told) else 0)


if __name__ == "__main__":
    app()
