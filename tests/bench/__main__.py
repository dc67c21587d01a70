"""Runs the benchmarks, prints what they show, and keeps it for the page of figures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tests.bench.asking.benches import bench_ledger, bench_requests
from tests.bench.asking.full_ledger import bench_full_ledger
from tests.bench.chat import bench_memory, bench_qwen3_vl, bench_smolvlm
from tests.bench.chat_training import bench_fit_chat
from tests.bench.commands import bench_commands
from tests.bench.exported import bench_exported, bench_exported_full_size
from tests.bench.figures import KEPT, PAGE, keep, kept_figures, page, record
from tests.bench.fleet import bench_fleet
from tests.bench.inference import bench_answers, bench_full_size
from tests.bench.intervals import bench_intervals
from tests.bench.measure import Comparison, Taken, Target
from tests.bench.scoring import bench_sentence_scores
from tests.bench.start import bench_start
from tests.bench.training import bench_fit, bench_fit_full_size

app = typer.Typer(add_completion=False)

BENCHES: Final[dict[str, Callable[[Path], Iterable[Comparison | Taken | Target]]]] = {
    "start": bench_start,
    "commands": bench_commands,
    "requests": bench_requests,
    "ledger": bench_ledger,
    "ledger-full-size": bench_full_ledger,
    "answers": bench_answers,
    "answers-of-chat": bench_smolvlm,
    "answers-of-qwen-vl": bench_qwen3_vl,
    "memory-of-chat": bench_memory,
    "fit": bench_fit,
    "fit-chat": bench_fit_chat,
    "fleet": bench_fleet,
    "scores": bench_sentence_scores,
    "intervals": bench_intervals,
    "exported": bench_exported,
    "answers-full-size": bench_full_size,
    "exported-full-size": bench_exported_full_size,
    "fit-full-size": bench_fit_full_size,
}


def sections() -> dict[str, str]:
    """Return what each section measures, in a line."""
    return {name: (run.__doc__ or "").partition("\n")[0] for name, run in BENCHES.items()}


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"which: {', '.join(BENCHES)}", show_default="all"),
    ] = None,
    *,
    only_page: Annotated[
        bool, typer.Option("--page", help="Measure nothing; write the page of what is kept.")
    ] = False,
    keeps: Annotated[
        bool, typer.Option("--keep", help="Keep what is seen in docs/figures.json and the page.")
    ] = False,
) -> None:
    """Measure and print; each row as soon as it is there, and all of them at the end."""
    unknown = set(names or ()) - BENCHES.keys()
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose from {', '.join(BENCHES)}")
    rows: list[Comparison | Taken | Target] = []
    with TemporaryDirectory() as folder:
        for name in () if only_page else names or BENCHES:
            own = Path(folder, name)
            own.mkdir()
            seen = list(_shown(BENCHES[name](own)))
            rows += seen
            # At once, for the next section may take an hour, and fail.
            if keeps:
                keep(name, record(seen), KEPT)
    if keeps or only_page:
        PAGE.write_text(page(kept_figures(), sections()), encoding="utf-8")
    compared = [row for row in rows if isinstance(row, Comparison)]
    if compared:
        # A file has no width of its own, and names are long.
        Console(width=None if sys.stdout.isatty() else 200).print(_table(compared))


def _shown(rows: Iterable[Comparison | Taken | Target]) -> Iterator[Comparison | Taken | Target]:
    for row in rows:
        told = ", ".join(f"{name} {value}" for name, value in row.plain().items() if value)
        typer.echo(told)
        yield row


def _table(rows: Sequence[Comparison]) -> Table:
    table = Table(title="ours against the reference, same rows, same machine, one run")
    for words in ("what", "unit"):
        table.add_column(words)
    for number in ("reference", "ours", "ratio", "ceiling"):
        table.add_column(number, justify="right")
    table.add_column("made of")
    for row in rows:
        table.add_row(
            row.what,
            row.unit,
            f"{row.reference:,.1f}",
            f"{row.ours:,.1f}",
            f"{row.ratio:.2f}",
            row.ceiling,
            row.shares,
        )
    return table


if __name__ == "__main__":
    app()
