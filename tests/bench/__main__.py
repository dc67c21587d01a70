"""Runs every benchmark and prints one table: ours, the reference, and the ratio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.bench.asking.benches import bench_ledger, bench_requests
from tests.bench.fleet import bench_fleet
from tests.bench.inference import bench_answers, bench_full_size
from tests.bench.measure import Comparison
from tests.bench.scoring import bench_sentence_scores
from tests.bench.training import bench_fit, bench_fit_full_size

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    full_size: Annotated[bool, typer.Option(help="also a BLIP of blip-vqa-base's size")] = True,
) -> None:
    """Measure and print."""
    benches: list[Callable[[Path], list[Comparison]]] = [
        bench_requests,
        bench_ledger,
        bench_answers,
        bench_fit,
        bench_fleet,
        bench_sentence_scores,
    ]
    if full_size:
        benches += [bench_full_size, bench_fit_full_size]
    table = Table(title="ours against the reference, same rows, same machine, one run")
    for heading in ("what", "unit", "reference", "ours", "ratio", "ceiling"):
        table.add_column(heading, justify="left" if heading in {"what", "unit"} else "right")
    with TemporaryDirectory() as folder:
        for one in benches:
            own = Path(folder) / one.__name__
            own.mkdir()
            for row in one(own):
                table.add_row(
                    row.what,
                    row.unit,
                    f"{row.reference:,.1f}",
                    f"{row.ours:,.1f}",
                    f"{row.ratio:.2f}",
                    row.ceiling,
                )
    Console().print(table)


if __name__ == "__main__":
    app()
