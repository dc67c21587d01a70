"""``evaluator run`` and ``evaluator status``: a run, and how far it is."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluator.answering.named_adapters import AdapterChoice, parse_adapters
from evaluator.commands.options import (
    PATHS,
    AsJson,
    BatchSize,
    BertscoreLayers,
    BertscoreModel,
    ClipModel,
    ClipWeights,
    Columns,
    IncludeTrainedOn,
    MaxNewTokens,
    MetricList,
    Model,
    NumberWords,
    Prompt,
    Quantize,
    Quantized,
    SentenceModel,
)
from evaluator.comparing.tables import controls_table, detail_table, signature_note
from evaluator.metrics.choice import parse_metrics
from evaluator.metrics.corpus import has_tool
from evaluator.metrics.text_models.names import AUTOMATIC, MINILM
from evaluator.runs.score_files import TextModelNames
from evaluator.runs.selection import SplitChoice
from evaluator.runs.status import read_status, status_lines
from evaluator.runs.trained_on import TrainedOn
from evaluator.scoring.controls import SHUFFLE_SAMPLE
from shared.corpus import parse_columns
from shared.program.clock import SystemClock
from shared.program.command_line import given_arguments
from shared.vqa.instruction import MAX_NEW_TOKENS, checked_instruction


def run(
    context: typer.Context,
    data: Annotated[
        str, typer.Option(help="A data set folder, or a file of pairs; a path or a URL.")
    ],
    images: Annotated[
        str,
        typer.Option(
            help="The folder that file names start from, or a URL: s3://, gs://, https://."
        ),
    ],
    model: Model,
    out: Annotated[Path, typer.Option(help="The run folder; an unfinished one is resumed.")],
    *,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]DIR",
            help="A PEFT adapter folder; several by name, each for the questions whose `domain` "
            "(or whose image's first folder) has its name.",
        ),
    ] = None,
    quantize: Quantized = Quantize.NF4,
    prompt: Prompt = "",
    max_new_tokens: MaxNewTokens = MAX_NEW_TOKENS,
    replicas: Annotated[int, typer.Option(help="Actors, each with its own model.", min=1)] = 1,
    gpus_per_replica: Annotated[
        float | None,
        typer.Option(
            help="Cards for each, such as 0.25.", min=0, show_default="all cards, shared evenly"
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster; this machine where not given.")
    ] = None,
    metrics: MetricList = None,
    columns: Columns = None,
    split: Annotated[
        SplitChoice, typer.Option(help="auto: test, or all where the data has no splits.")
    ] = SplitChoice.AUTO,
    include_trained_on: IncludeTrainedOn = False,
    limit: Annotated[int | None, typer.Option(help="Only so many images.", min=1)] = None,
    train: Annotated[
        Path | None,
        typer.Option(help="Training data for the prior; by default the data's own split."),
    ] = None,
    batch_size: BatchSize = 64,
    shuffle_images: Annotated[
        int, typer.Option(metavar="SEED", help="Draws the control that sees another picture.")
    ] = 0,
    shuffle_sample: Annotated[
        int, typer.Option(help="Images of that control; 0: no control.", min=0)
    ] = SHUFFLE_SAMPLE,
    name: Annotated[
        str | None, typer.Option(help="What reports call it.", show_default="--out's name")
    ] = None,
    sentence_model: SentenceModel = MINILM,
    bertscore_model: BertscoreModel = AUTOMATIC,
    bertscore_layers: BertscoreLayers = None,
    number_words: NumberWords = False,
    clip_model: ClipModel = "",
    clip_weights: ClipWeights = "",
    as_json: AsJson = False,
) -> None:
    """Answer a data set's questions with Ray actors and score the answers."""
    # Ray and torch take seconds to import; the other commands need not wait for them.
    from evaluator.runs.wiring import EvaluationOrder, run_evaluation  # noqa: PLC0415

    order = EvaluationOrder(
        data=data,
        images=images,
        model=model,
        out=out,
        adapter=parse_adapters(adapter) if adapter else AdapterChoice(None, {}),
        quantization=quantize.value,
        replicas=replicas,
        gpus_per_replica=gpus_per_replica,
        address=address,
        metrics=None if metrics is None else parse_metrics(metrics, has_tool),
        split=split,
        limit=limit,
        train=train,
        columns=parse_columns(columns),
        batch_size=batch_size,
        name=name or out.resolve().name,
        text_models=TextModelNames(
            sentence_model,
            bertscore_model,
            bertscore_layers,
            number_words,
            clip_model,
            clip_weights,
        ),
        instruction=checked_instruction(prompt, max_new_tokens),
        shuffle_seed=shuffle_images,
        shuffle_sample=shuffle_sample,
        trained_on=TrainedOn.of(included=include_trained_on),
        arguments=given_arguments(context, PATHS),
    )
    # Ray reports dead workers on standard output, which is the JSON object's.
    with redirect_stdout(sys.stderr):
        scorecard = run_evaluation(order, SystemClock())
    if as_json:
        typer.echo(json.dumps(scorecard.to_json(), ensure_ascii=False, allow_nan=False))
        return
    console = Console()
    console.print(detail_table(name or out.resolve().name, scorecard))
    console.print(controls_table(scorecard))
    typer.echo(signature_note([scorecard]))
    typer.echo(f"run folder: {out}")


def status(
    run_dir: Annotated[Path, typer.Argument(help="A run folder, at work, stopped or finished.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say how far a run is, also where its driver died."""
    current = read_status(run_dir, SystemClock().now())
    if as_json:
        typer.echo(json.dumps(current.to_json(), ensure_ascii=False, allow_nan=False))
    else:
        typer.echo("\n".join(status_lines(current)))
