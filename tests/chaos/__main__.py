"""``make chaos``: plays seeds, two at a time, until the time is up; prints what was lost."""

from __future__ import annotations

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import psutil
import typer

from tests.chaos.playing import KINDS, LANES, WANTED, end_all_below, play_in_turn
from tests.chaos.report import totals
from tests.chaos.turns import Turns

PLAYED: Final = 0.97
"""Of the minutes; in the rest, Ray and folders are left."""

app = typer.Typer(add_completion=False)


@app.command()
def chaos(
    seeds: Annotated[str, typer.Option(help="First and last seed, such as 0-99.")] = "0-999",
    minutes: Annotated[
        float, typer.Option(help="Most minutes; a seed that takes longer is cut off.")
    ] = 15,
    listings: Annotated[int, typer.Option(help="Listings a campaign.")] = 200,
    kinds: Annotated[str, typer.Option(help=f"Which, with commas: {', '.join(KINDS)}.")] = ",".join(
        KINDS
    ),
) -> None:
    """Try to lose something; exit with 1 if that succeeded, or a kind was never played."""
    first, last = map(int, re.fullmatch(r"(\d+)-(\d+)", seeds).groups())
    signal.signal(signal.SIGTERM, _end)
    begun_s = time.time() - psutil.Process().create_time()
    turns = Turns(WANTED, first, last, time.monotonic() - begun_s + minutes * 60 * PLAYED)
    asked = [kind for kind in WANTED if kind in kinds.split(",")]
    lanes = [[kind for kind in lane if kind in asked] for lane in LANES]
    # What is cut off leaves files; the name is short, for Ray has sockets below it.
    with TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = folder
        with ThreadPoolExecutor(len(lanes)) as players:
            played = [players.submit(play_in_turn, turns, lane, listings) for lane in lanes if lane]
    told = [one for player in played for one in player.result()]
    seeds_given = last - first + 1
    for line in totals(told, {kind: min(WANTED[kind], seeds_given) for kind in asked}):
        typer.echo(line)
    never_played = set(asked) - {kind for kind, _ in told}
    raise typer.Exit(1 if never_played or any(one.lost for _, one in told) else 0)


def _end(*_: object) -> None:
    """End with all that plays, which would go on for nobody."""
    end_all_below(psutil.Process())
    os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    app()
