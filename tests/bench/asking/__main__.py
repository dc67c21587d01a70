"""Prints the race of all contenders; the peers run where ``make bench-peers`` installed them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.bench.asking.race import Run, run_contender, run_curator, write_course

PEERS = ("litellm", "bespokelabs-curator")


def main(
    peers: Annotated[Path, typer.Option(help="folder with an environment for each peer")],
    requests: Annotated[int, typer.Option(help="images to ask about")] = 3_000,
) -> None:
    """Race."""
    headings = ("who", "start s", "requests/s", "ours is", "CPU ms a request", "peak MB")
    table = Table(*headings, "kB a request")
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_course(folder, requests)
        runs: list[Run] = [run_curator(folder, requests)]
        for contender in ("aiohttp", "google-genai", *PEERS):
            python = peers / contender / "bin" / "python"
            if contender in PEERS and not python.exists():
                print(f"{contender}: not installed in {peers}, left out")
                continue
            where = {"python": str(python)} if contender in PEERS else {}
            try:
                runs.append(run_contender(contender, folder, requests, **where))
            except RuntimeError as error:
                print(error)
    for run in runs:
        table.add_row(
            run.name,
            f"{run.start_s:.1f}",
            f"{run.rate:,.0f}",
            f"{runs[0].rate / run.rate:.2f} x",
            f"{run.cpu_ms:.2f}",
            f"{run.peak_mb:.0f}",
            f"{run.sent_kb:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
