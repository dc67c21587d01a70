"""Plays seeds one after the other until the time is up, and prints what each tried and lost."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer

from shared.program.reporting.events import set_up_events
from tests.chaos.processes import chaos_of_processes
from tests.chaos.report import Told
from tests.chaos.within import chaos_within

app = typer.Typer(add_completion=False)

KINDS: Final[dict[str, Callable[[int, Path, int], Awaitable[Told]]]] = {
    "within": chaos_within,
    "processes": chaos_of_processes,
}


def play(kind: str, seed: int, listings: int) -> Told:
    """Play one seed of one kind in a folder of its own; what it raises is what it lost."""
    with (
        TemporaryDirectory(prefix="abo-vqa-chaos-") as folder,
        # The rehearsal's own lines are nobody's here.
        Path(folder, "server.log").open("w", encoding="utf-8") as lines,
    ):
        set_up_events(terminal=lines)
        try:
            return asyncio.run(KINDS[kind](seed, Path(folder), listings))
        except Exception as error:  # noqa: BLE001 - the edge: the next seed is to be played
            return Told(seed, kind, [f"{type(error).__name__}: {error}"])
        finally:
            set_up_events()


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
    ends_at = time.monotonic() + minutes * 60
    tried: Counter[str] = Counter()
    lost = played = 0
    for seed in range(first, last + 1):
        for kind in kinds.split(","):
            if time.monotonic() > ends_at:
                break
            told = play(kind, seed, listings)
            typer.echo(told.line())
            tried.update(told.tried)
            played += 1
            lost += bool(told.lost)
    listed = ", ".join(f"{count} x {what}" for what, count in sorted(tried.items()))
    typer.echo(f"{played} played; {listed}; {lost} lost something")
    raise typer.Exit(1 if lost else 0)


if __name__ == "__main__":
    app()
