"""``evaluator run`` and ``evaluator status``: a run, and how far it is."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from evaluator.commands.given.address_options import (
    Endpoint,
    ExtraBody,
    ImagePx,
    InFlight,
    Keys,
    ThinkingLevel,
    Timeout,
    Whose,
)
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
    Quantized,
    SentenceModel,
)
from evaluator.endpoints.address.options import IN_FLIGHT, LONGEST_PX, TIMEOUT_S
from evaluator.metrics.text_models.names import AUTOMATIC, MINILM
from evaluator.runs.rows.choices import SHUFFLE_SAMPLE, SplitChoice
from shared.program.command_line.next_step import tell_next
from shared.vqa.quantization import Quantization

Data = Annotated[str, typer.Option(help="A data set folder, or a file of pairs; a path or a URL.")]
Images = Annotated[
    str | None,
    typer.Option(
        help="The folder that file names start from, or a URL: s3://, gs://, https://, hf://.",
        show_default="the pictures within the data, or in a folder `images` beside its rows",
    ),
]
Out = Annotated[Path, typer.Option(help="The run folder; an unfinished one is resumed.")]
Adapters = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]DIR",
        help="A PEFT adapter folder; several by name, each for the questions whose `domain` "
        "(or whose image's first folder) has its name.",
    ),
]
PriceIn = Annotated[
    float | None,
    typer.Option(
        metavar="USD",
        help="What a million tokens cost that go in.",
        show_default="as models.toml says",
        min=0,
    ),
]
PriceOut = Annotated[
    float | None, typer.Option(metavar="USD", help="The same that come out.", min=0)
]
PricePerHour = Annotated[
    float | None,
    typer.Option(
        metavar="USD",
        help="What an hour of the machines costs that answer, for the cost of 1,000 answers.",
        show_default="not counted",
        min=0,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be asked, its cost and time; ask and write nothing."
    ),
]
Replicas = Annotated[int, typer.Option(help="Actors, each with its own model.", min=1)]
GpusPerReplica = Annotated[
    float | None,
    typer.Option(
        help="Cards for each, such as 0.25.", min=0, show_default="all cards, shared evenly"
    ),
]
Address = Annotated[str | None, typer.Option(help="A Ray cluster; this machine where not given.")]
Split = Annotated[
    SplitChoice, typer.Option(help="auto: test, or all where the data has no splits.")
]
Limit = Annotated[int | None, typer.Option(help="Only so many images.", min=1)]
Train = Annotated[
    str | None,
    typer.Option(
        help="Training data for the prior, a path or a URL; by default the data's own split."
    ),
]
ShuffleImages = Annotated[
    int, typer.Option(metavar="SEED", help="Draws the control that sees another picture.")
]
ShuffleSample = Annotated[int, typer.Option(help="Images of that control; 0: no control.", min=0)]
Robustness = Annotated[
    str | None,
    typer.Option(
        metavar="CHANGE,...",
        help="Ask again under changes: turned, darker, cropped, compressed, rephrased, each with a "
        "strength if wanted, such as turned=90,compressed=30; or all.",
        show_default="none",
    ),
]
RobustnessSample = Annotated[int, typer.Option(help="Images that are asked about so.", min=1)]
Name = Annotated[
    str | None, typer.Option(help="What reports call it.", show_default="--out's name")
]


def run(
    context: typer.Context,
    data: Data,
    out: Out,
    *,
    model: Model = "",
    images: Images = None,
    adapter: Adapters = None,
    endpoint: Endpoint = None,
    service: Whose = None,
    keys: Keys = None,
    in_flight: InFlight = IN_FLIGHT,
    timeout: Timeout = TIMEOUT_S,
    image_px: ImagePx = LONGEST_PX,
    thinking: ThinkingLevel = None,
    extra_body: ExtraBody = "",
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    price_per_hour: PricePerHour = None,
    quantize: Quantized = Quantization.NF4,
    prompt: Prompt = "",
    max_new_tokens: MaxNewTokens = None,
    replicas: Replicas = 1,
    gpus_per_replica: GpusPerReplica = None,
    address: Address = None,
    metrics: MetricList = None,
    columns: Columns = None,
    split: Split = SplitChoice.AUTO,
    include_trained_on: IncludeTrainedOn = False,
    limit: Limit = None,
    train: Train = None,
    batch_size: BatchSize = 64,
    shuffle_images: ShuffleImages = 0,
    shuffle_sample: ShuffleSample = SHUFFLE_SAMPLE,
    robustness: Robustness = None,
    robustness_sample: RobustnessSample = SHUFFLE_SAMPLE,
    name: Name = None,
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
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Answer a data set's questions, with Ray actors or at an address, and score the answers."""
    from rich.console import Console

    from evaluator.comparing.control_tables import control_tables
    from evaluator.comparing.tables import detail_table, signature_note
    from evaluator.runs.dry_run import ahead_lines
    from evaluator.runs.settings import RunSettings
    from shared.program.clock import SystemClock

    settings = RunSettings.model_validate(context.params).with_model()
    # Ray and torch take seconds to import; what is misspelt need not wait for them.
    from evaluator.runs.wiring import look_ahead, run_evaluation

    if dry_run:
        for line in ahead_lines(settings, look_ahead(settings, SystemClock())):
            typer.echo(line)
        tell_next("evaluator", "run", *settings.arguments())
        return
    # Ray reports dead workers on standard output, which is the JSON object's.
    with redirect_stdout(sys.stderr):
        scorecard = run_evaluation(settings, SystemClock())
    if settings.as_json:
        typer.echo(json.dumps(scorecard.to_json(), ensure_ascii=False, allow_nan=False))
        return
    console = Console()
    console.print(detail_table(settings.run_name, scorecard))
    for table in control_tables(scorecard):
        console.print(table)
    typer.echo(signature_note([scorecard]))
    typer.echo(f"run folder: {settings.out}")
    tell_next("evaluator", "report", settings.out, "--out", "report.html")


def status(
    run_dir: Annotated[Path, typer.Argument(help="A run folder, at work, stopped or finished.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say how far a run is, also where its driver died."""
    from evaluator.runs.record import read_record
    from evaluator.runs.status import State, read_status, status_lines
    from shared.program.clock import SystemClock

    current = read_status(run_dir, SystemClock().now())
    if as_json:
        typer.echo(json.dumps(current.to_json(), ensure_ascii=False, allow_nan=False))
    else:
        typer.echo("\n".join(status_lines(current)))
        if current.state is State.FINISHED:
            tell_next("evaluator", "report", run_dir, "--out", "report.html")
        elif current.state in {State.STOPPED, State.INCOMPLETE}:
            record = read_record(run_dir)
            said = record.settings.arguments() if record.settings else record.arguments
            tell_next(*record.command.split(), *said)
