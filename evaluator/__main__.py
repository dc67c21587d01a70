"""The evaluator's command line: parse, build what the parts need, run them, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from evaluator.metrics import parse_metrics
from evaluator.report import write_report
from evaluator.run_folder import read_runs
from evaluator.score import ScoredFile, TextModelNames, score_files, write_run_folders
from evaluator.tables import comparison_table, detail_table
from evaluator.text_models import AUTOMATIC, DISTILBERT
from shared.cli import run_program
from shared.events import set_up_events

app = typer.Typer(
    help="Answers questions with replicas of a model, scores the answers and reports them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def prepare() -> None:
    """Set up what every command needs."""
    set_up_events()


@app.command()
def score(
    predictions: Annotated[
        list[Path], typer.Argument(help="Predictions with references: .csv, .jsonl or .parquet.")
    ],
    *,
    metrics: Annotated[
        str | None,
        typer.Option(help="Metrics with commas between them.", show_default="the report's"),
    ] = None,
    train: Annotated[
        Path | None, typer.Option(help="Training data, for the question-only prior.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Where the pictures lie, for a later report.")
    ] = None,
    sentence_model: Annotated[
        str, typer.Option(help="SBERT model of CSNS and VTGS: a folder or a hub name.")
    ] = "all-MiniLM-L6-v2",
    bertscore_model: Annotated[
        str,
        typer.Option(
            help=f"Encoder of BERTScore: a folder or a hub name; {AUTOMATIC}: {DISTILBERT} "
            "where it can be had, else all-MiniLM-L6-v2."
        ),
    ] = AUTOMATIC,
    bertscore_layers: Annotated[
        int | None, typer.Option(help="Which of its layers to read.", min=1)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write run folders here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Score files of predictions; no model is needed."""
    scored = score_files(
        predictions,
        metrics=None if metrics is None else parse_metrics(metrics),
        models=TextModelNames(sentence_model, bertscore_model, bertscore_layers),
        train=train,
    )
    if out is not None:
        write_run_folders(scored, out, images)
    if as_json:
        _print_json(scored)
    else:
        _print_tables(scored)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, the first is the base.")],
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    images: Annotated[
        Path | None, typer.Option(help="Where the pictures lie, if not where the runs say.")
    ] = None,
) -> None:
    """Write one self-contained HTML page about one or several runs."""
    loaded = read_runs(runs)
    write_report(loaded, out, images=images)
    Console().print(comparison_table({run.name: run.scorecard for run in loaded}))
    typer.echo(f"report: {out}")


def main() -> NoReturn:
    """Run the program ``evaluator``."""
    run_program(app, "evaluator")


def _print_json(scored: dict[str, ScoredFile]) -> None:
    cards = {name: one.scorecard.to_json() for name, one in scored.items()}
    value = next(iter(cards.values())) if len(cards) == 1 else {"files": cards}
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _print_tables(scored: dict[str, ScoredFile]) -> None:
    console = Console()
    for name, one in scored.items():
        console.print(detail_table(name, one.scorecard))
    if len(scored) > 1:
        console.print(comparison_table({name: one.scorecard for name, one in scored.items()}))


if __name__ == "__main__":
    main()
