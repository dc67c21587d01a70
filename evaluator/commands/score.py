"""``evaluator score``: files of predictions that anyone made, scored without a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evaluator.commands.given.judge_options import (
    Judge,
    JudgeCache,
    JudgeEndpoint,
    JudgeExtraBody,
    JudgeInFlight,
    JudgeKeys,
    JudgeRubric,
    JudgeService,
    JudgeThinking,
)
from evaluator.commands.given.options import (
    AsJson,
    BertscoreLayers,
    BertscoreModel,
    ClipModel,
    ClipWeights,
    Columns,
    IncludeTrainedOn,
    MetricList,
    NumberWords,
    SentenceModel,
)
from evaluator.endpoints.address.options import IN_FLIGHT
from evaluator.metrics.text_models.names import AUTOMATIC, MINILM
from shared.program.command_line.next_step import tell_next
from shared.program.process.garbage import garbage_left_alone

if TYPE_CHECKING:
    from evaluator.runs.score_files import ScoredFile
    from evaluator.runs.settings import ScoreSettings

Predictions = Annotated[
    list[str],
    typer.Argument(
        help="Predictions, with references or with --data: CSV, JSON or Parquet; paths or URLs."
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="The data set that was asked: gives the references of files that have none, by "
        "question id, or by image and question."
    ),
]
Train = Annotated[
    str | None, typer.Option(help="Training data, for the question-only prior; a path or a URL.")
]
Images = Annotated[
    str | None,
    typer.Option(help="Where the pictures lie: for vtgs_clip, and for a later report."),
]
Out = Annotated[
    Path | None, typer.Option(help="Also write run folders here, unless others are there.")
]


def score(
    context: typer.Context,
    predictions: Predictions,
    *,
    data: Data = None,
    metrics: MetricList = None,
    columns: Columns = None,
    train: Train = None,
    include_trained_on: IncludeTrainedOn = False,
    images: Images = None,
    sentence_model: SentenceModel = MINILM,
    bertscore_model: BertscoreModel = AUTOMATIC,
    bertscore_layers: BertscoreLayers = None,
    number_words: NumberWords = False,
    clip_model: ClipModel = "",
    clip_weights: ClipWeights = "",
    judge: Judge = None,
    judge_endpoint: JudgeEndpoint = None,
    judge_service: JudgeService = None,
    judge_keys: JudgeKeys = None,
    judge_rubric: JudgeRubric = None,
    judge_thinking: JudgeThinking = None,
    judge_extra_body: JudgeExtraBody = "",
    judge_in_flight: JudgeInFlight = IN_FLIGHT,
    judge_cache: JudgeCache = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Score files of predictions; no model is needed."""
    # A judge is waited for, and what waiting leaves behind adds up.
    with nullcontext() if judge else garbage_left_alone():
        settings, scored = _scored(context.params)
    if settings.as_json:
        _print_json(scored)
    else:
        _print_tables(scored)
        tell_next(*_next(settings, list(scored)))


def _scored(given: Mapping[str, Any]) -> tuple[ScoreSettings, dict[str, ScoredFile]]:
    from evaluator.runs.score_files import score_files, write_run_folders
    from evaluator.runs.settings import ScoreSettings
    from shared.program.clock import SystemClock

    settings = ScoreSettings.model_validate(given)
    scored = score_files(settings, SystemClock())
    if settings.out is not None:
        write_run_folders(scored, settings.out, settings, SystemClock().now())
    return settings, scored


def _next(settings: ScoreSettings, names: Sequence[str]) -> list[str]:
    if settings.out is None:
        out = "runs" if len(names) > 1 else f"runs/{names[0]}"
        return ["evaluator", "score", "--out", out, *settings.arguments()]
    folders = [settings.out] if len(names) == 1 else [settings.out / name for name in names]
    return ["evaluator", "report", *map(str, folders), "--out", "report.html"]


def _print_json(scored: dict[str, ScoredFile]) -> None:
    cards = {name: file.scorecard.to_json() for name, file in scored.items()}
    value = next(iter(cards.values())) if len(cards) == 1 else {"files": cards}
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _print_tables(scored: dict[str, ScoredFile]) -> None:
    from rich.console import Console

    from evaluator.comparing.tables import comparison_table, detail_table, signature_note

    console = Console()
    for name, file in scored.items():
        console.print(detail_table(name, file.scorecard))
    if len(scored) > 1:
        console.print(comparison_table({name: file.scorecard for name, file in scored.items()}))
    typer.echo(signature_note(file.scorecard for file in scored.values()))
