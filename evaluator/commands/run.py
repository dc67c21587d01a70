"""The evaluator's commands: parse, build what the parts need, run them, print."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from evaluator.answering.named_adapters import AdapterChoice, parse_adapters
from evaluator.comparing.differences import compare_runs, sentences
from evaluator.comparing.tables import (
    check_table,
    comparison_table,
    controls_table,
    detail_table,
    difference_table,
    signature_note,
)
from evaluator.metrics.captioning.captioning import has_tool
from evaluator.metrics.metrics import parse_metrics
from evaluator.metrics.text_models.text_models import AUTOMATIC, DISTILBERT, MINILM
from evaluator.report.page import write_report
from evaluator.runs.folder import read_runs
from evaluator.runs.score_files import (
    ScoredFile,
    TextModelNames,
    score_files,
    write_run_folders,
)
from evaluator.runs.selection import SplitChoice
from evaluator.runs.status import read_status, status_lines
from evaluator.runs.trained_on import TrainedOn
from evaluator.scoring.controls import SHUFFLE_SAMPLE
from evaluator.scoring.question_types import type_shares
from shared.corpus import parse_columns, read_pair_table, say_left_out
from shared.corpus.unpacking import IMAGES_FOLDER, ROWS_FILE, unpack_pictures
from shared.dataset.check import SHOWN, SPLIT_ANEW, check_data, leak_text
from shared.errors import AboVqaError, InputError
from shared.images.names import find_images
from shared.images.source import require_images
from shared.program.clock import SystemClock
from shared.program.command_line import given_arguments

if TYPE_CHECKING:
    from evaluator.answering.replica import ReplicaSettings

SentenceModel = Annotated[
    str, typer.Option(help="SBERT model of CSNS and VTGS: a folder or a hub name.")
]
BertscoreModel = Annotated[
    str,
    typer.Option(
        help=f"Encoder of BERTScore: a folder or a hub name; {AUTOMATIC}: {DISTILBERT} "
        f"where it can be had, else {MINILM}."
    ),
]
BertscoreLayers = Annotated[int | None, typer.Option(help="Which of its layers to read.", min=1)]
NumberWords = Annotated[
    bool,
    typer.Option("--number-words", help='CSNS takes "two" for 2; the AIM825 report does not.'),
]
ClipModel = Annotated[
    str, typer.Option(help="open_clip's architecture for vtgs_clip.", show_default="ViT-B/32")
]
ClipWeights = Annotated[
    str, typer.Option(help="Its weights: a file or a tag of open_clip's.", show_default="openai")
]
MetricList = Annotated[
    str | None,
    typer.Option(
        help="Metrics with commas between them; `captioning` and `all` stand for those whose "
        "tools are installed.",
        show_default="those of the AIM825 report",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD=COLUMN,...",
        help="Columns whose names cannot be guessed, such as answer=ground_truth,prediction=pred; "
        "split= takes a file for one without.",
    ),
]
IncludeTrainedOn = Annotated[
    bool,
    typer.Option(
        "--include-trained-on",
        help="Score images that the model was trained on too; scorecard and report say so. "
        "Else they are left out.",
    ),
]
Prompt = Annotated[
    str,
    typer.Option(
        metavar="TEMPLATE",
        help="What a question is asked in, such as '{question} Answer in one word.'",
        show_default="the model's own way",
    ),
]
MaxNewTokens = Annotated[int, typer.Option(help="The longest answer, in tokens.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


_PATHS = frozenset(
    {
        *("predictions", "data", "images", "model", "adapter", "train", "out"),
        *("sentence_model", "bertscore_model", "clip_weights"),
    }
)
"""Parameters that take a path, or a path among other things."""
MAX_NEW_TOKENS = 10
"""``shared.vqa.instruction.MAX_NEW_TOKENS``, without importing torch for ``--help``."""
SERVE_TOKEN = "EVALUATOR_TOKEN"  # noqa: S105 (a name, no token)


class Quantize(StrEnum):
    """``shared.vqa.loaded.Quantization``, without importing torch for ``--help``."""

    NF4 = "nf4"
    NONE = "none"


def score(
    context: typer.Context,
    predictions: Annotated[
        list[Path], typer.Argument(help="Predictions with references: CSV, JSON or Parquet.")
    ],
    *,
    metrics: MetricList = None,
    columns: Columns = None,
    train: Annotated[
        Path | None, typer.Option(help="Training data, for the question-only prior.")
    ] = None,
    include_trained_on: IncludeTrainedOn = False,
    images: Annotated[
        Path | None,
        typer.Option(help="Where the pictures lie: for vtgs_clip, and for a later report."),
    ] = None,
    sentence_model: SentenceModel = MINILM,
    bertscore_model: BertscoreModel = AUTOMATIC,
    bertscore_layers: BertscoreLayers = None,
    number_words: NumberWords = False,
    clip_model: ClipModel = "",
    clip_weights: ClipWeights = "",
    out: Annotated[Path | None, typer.Option(help="Also write run folders here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score files of predictions; no model is needed."""
    scored = score_files(
        predictions,
        metrics=None if metrics is None else parse_metrics(metrics, has_tool),
        models=TextModelNames(
            sentence_model,
            bertscore_model,
            bertscore_layers,
            number_words,
            clip_model,
            clip_weights,
        ),
        train=train,
        images=images,
        columns=parse_columns(columns),
        trained_on=TrainedOn.of(included=include_trained_on),
    )
    if out is not None:
        write_run_folders(scored, out, images, given_arguments(context, _PATHS))
    if as_json:
        _print_json(scored)
    else:
        _print_tables(scored)


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
    model: Annotated[str, typer.Option(help="A model folder, a hub id or blip-vqa-tiny.")],
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
    quantize: Annotated[Quantize, typer.Option(help="How the base is held.")] = Quantize.NF4,
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
    batch_size: Annotated[int, typer.Option(help="Questions per batch.", min=1)] = 64,
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
    from shared.vqa.instruction import checked_instruction  # noqa: PLC0415

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
        arguments=given_arguments(context, _PATHS),
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
    found = read_status(run_dir, SystemClock().now())
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False))
    else:
        typer.echo("\n".join(status_lines(found)))


def predict(
    model: Annotated[str, typer.Option(help="A model folder, a hub id or blip-vqa-tiny.")],
    *,
    adapter: Annotated[Path | None, typer.Option(help="A PEFT adapter folder.")] = None,
    quantize: Annotated[Quantize, typer.Option(help="How the base is held.")] = Quantize.NF4,
    prompt: Prompt = "",
    max_new_tokens: MaxNewTokens = MAX_NEW_TOKENS,
    image: Annotated[Path | None, typer.Option(help="One image file.")] = None,
    question: Annotated[str | None, typer.Option(help="The question about it.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Many: a file of questions.")] = None,
    images: Annotated[str | None, typer.Option(help="Its images: a folder or a URL.")] = None,
    columns: Columns = None,
    out: Annotated[Path | None, typer.Option(help="Where its answers go, a .csv.")] = None,
    batch_size: Annotated[int, typer.Option(help="Questions per batch.", min=1)] = 64,
    as_json: AsJson = False,
) -> None:
    """Answer one question, or a file of them; no reference answers needed."""
    one, many = (image, question), (csv, images, out)
    if image and question and not any(many):
        settings = _settings(
            model, adapter, quantize, image.parent, 1, prompt=prompt, max_new_tokens=max_new_tokens
        )
        _predict_one(settings, image, question, as_json)
    elif csv and images and out and not any(one):
        settings = _settings(
            model,
            adapter,
            quantize,
            images,
            batch_size,
            prompt=prompt,
            max_new_tokens=max_new_tokens,
        )
        from evaluator.runs.predict import predict_csv  # noqa: PLC0415

        typer.echo(f"{out}: {predict_csv(settings, csv, out, parse_columns(columns))} answers")
    else:
        raise InputError(
            "predict: give --image FILE --question TEXT, or --csv FILE --images DIR --out FILE"
        )


def check(
    data: Annotated[Path, typer.Argument(help="A data set folder, or a file of pairs.")],
    images: Annotated[
        Path | None, typer.Option(help="Also compare the pictures, and find missing ones.")
    ] = None,
    columns: Columns = None,
    as_json: AsJson = False,
) -> None:
    """Look for leaks between splits and for contradictions.

    The exit code is 1 where a split leaks.
    """
    if images is not None and not images.is_dir():
        raise InputError(f"--images {images}: no such folder")
    table = read_pair_table(data, parse_columns(columns))
    say_left_out(data, table.left_out)
    pairs = table.pairs
    if images is not None:
        pairs = find_images((pair.filename for pair in pairs), images).renamed(pairs)
        require_images(str(images), (pair.filename for pair in pairs))
    found = check_data(pairs, images, table.left_out)
    types = type_shares(pair.question for pair in pairs)
    if as_json:
        typer.echo(json.dumps({**found.to_json(), "question_types": types}, ensure_ascii=False))
    else:
        Console().print(check_table(data.name, found, types))
        for conflict in found.conflicts[:SHOWN]:
            said = " / ".join(conflict.answers)
            typer.echo(f"contradiction: {conflict.filename} {conflict.question!r}: {said}")
    if found.leaks:
        raise AboVqaError(f"{data}: {leak_text(found.leaks)}; {SPLIT_ANEW}")


def unpack(
    files: Annotated[
        list[Path], typer.Argument(help="Parquet files of one data set, or their folder.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="A folder to make.")],
) -> None:
    """Save the pictures within Parquet files as files of their own.

    The hub's data sets come so. Then give --data OUT/rows.parquet --images OUT/images.
    """
    made = unpack_pictures(files, out)
    typer.echo(f"{out / ROWS_FILE}: {made.rows:,} rows")
    typer.echo(f"{out / IMAGES_FOLDER}: {made.images:,} pictures")


def compare(
    run_a: Annotated[Path, typer.Argument(help="A run folder: the one to start from.")],
    run_b: Annotated[Path, typer.Argument(help="Another on the same data.")],
    *,
    metrics: Annotated[
        str | None,
        typer.Option(help="Metrics with commas between them.", show_default="all in both"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which of two runs is better, by how much, and how sure that is."""
    chosen = None if metrics is None else parse_metrics(metrics)
    base, other = read_runs([run_a, run_b])
    comparison = compare_runs(base, other, chosen)
    if as_json:
        typer.echo(json.dumps(comparison.to_json(), ensure_ascii=False, allow_nan=False))
        return
    Console().print(difference_table(comparison))
    for sentence in sentences(comparison):
        typer.echo(sentence)


def serve(
    model: Annotated[str, typer.Option(help="A model folder, a hub id or blip-vqa-tiny.")],
    *,
    adapter: Annotated[Path | None, typer.Option(help="A PEFT adapter folder.")] = None,
    quantize: Annotated[Quantize, typer.Option(help="How the base is held.")] = Quantize.NF4,
    prompt: Prompt = "",
    max_new_tokens: MaxNewTokens = MAX_NEW_TOKENS,
    host: Annotated[str, typer.Option(help="Others than this machine need a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free.", min=0, max=65_535)] = 8000,
    token: Annotated[
        str | None, typer.Option(envvar=SERVE_TOKEN, help="What is asked for, if given.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Questions per batch.", min=1)] = 32,
    queue: Annotated[
        int, typer.Option(help="Questions that may wait; more are told to come back.", min=1)
    ] = 64,
) -> None:
    """Answer questions over HTTP: POST /answer, and a page to try it with."""
    from evaluator.serve import Limits  # noqa: PLC0415
    from evaluator.serve import serve as serve_replica  # noqa: PLC0415
    from shared.web.access import checked_address  # noqa: PLC0415

    address = checked_address(host, port, token, option=f"--host {host}", variable=SERVE_TOKEN)
    serve_replica(
        _settings(
            model,
            adapter,
            quantize,
            Path(),
            batch_size,
            prompt=prompt,
            max_new_tokens=max_new_tokens,
        ),
        address,
        Limits(batch_size, queue),
        lambda url: typer.echo(f"{model} answers at {url}; Ctrl-C ends it"),
    )


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, the first is the base.")],
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    images: Annotated[
        str | None,
        typer.Option(help="Folder or URL of the pictures, if not where the runs say."),
    ] = None,
    page_only: Annotated[
        bool, typer.Option(help="No folder beside the page with the examples it has no room for.")
    ] = False,
) -> None:
    """Write one self-contained HTML page about one or several runs."""
    loaded = read_runs(runs)
    write_report(loaded, out, images=images, with_rest=not page_only)
    Console().print(comparison_table({run.name: run.scorecard for run in loaded}))
    typer.echo(signature_note(run.scorecard for run in loaded))
    typer.echo(f"report: {out}")


def _settings(
    model: str,
    adapter: Path | None,
    quantize: Quantize,
    images: Path | str,
    batch_size: int,
    *,
    prompt: str,
    max_new_tokens: int,
) -> ReplicaSettings:
    from evaluator.answering.replica import replica_settings  # noqa: PLC0415
    from shared.vqa.instruction import checked_instruction  # noqa: PLC0415

    return replica_settings(
        model,
        adapter,
        quantize.value,
        images,
        batch_size=batch_size,
        instruction=checked_instruction(prompt, max_new_tokens),
    )


def _predict_one(settings: ReplicaSettings, image: Path, question: str, as_json: bool) -> None:
    from evaluator.runs.predict import predict_one  # noqa: PLC0415

    reply = predict_one(settings, image, question)
    if as_json:
        typer.echo(json.dumps({"answer": reply.answer, "confidence": reply.confidence}))
    else:
        typer.echo(reply.answer)


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
    typer.echo(signature_note(one.scorecard for one in scored.values()))
