"""``evaluator predict`` and ``evaluator serve``: one model that answers in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

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
from evaluator.commands.given.options import (
    Adapter,
    AsJson,
    BatchSize,
    Columns,
    MaxNewTokens,
    Model,
    Prompt,
    Quantized,
    Sure,
)
from evaluator.endpoints.address.options import IN_FLIGHT, LONGEST_PX, TIMEOUT_S
from evaluator.runs.predicting.benchmarks import Submission
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next
from shared.vqa.adapting.named_folder import named_folder
from shared.vqa.quantization import Quantization

if TYPE_CHECKING:
    from evaluator.answering.replica_settings import ReplicaSettings
    from evaluator.endpoints.address.options import AddressOptions
    from evaluator.runs.predicting.predictors import Predictor
    from shared.corpus import ColumnNames
    from shared.vqa.inputs.instruction import Instruction

BATCH: Final = 64
SERVE_TOKEN = "EVALUATOR_TOKEN"  # noqa: S105 (a name, no token)


AdapterOrModule = Annotated[
    str | None,
    typer.Option(
        metavar="[NAME=]DIR",
        help="A PEFT adapter folder; with --endpoint the name of a LoRA module.",
    ),
]


def predict(
    *,
    model: Model = "",
    adapter: AdapterOrModule = None,
    endpoint: Endpoint = None,
    service: Whose = None,
    keys: Keys = None,
    in_flight: InFlight = IN_FLIGHT,
    timeout: Timeout = TIMEOUT_S,
    image_px: ImagePx = LONGEST_PX,
    thinking: ThinkingLevel = None,
    extra_body: ExtraBody = "",
    quantize: Quantized = Quantization.NF4,
    prompt: Prompt = "",
    max_new_tokens: MaxNewTokens = None,
    image: Annotated[
        str | None, typer.Option(help="One image file; a path, or of the hub.")
    ] = None,
    question: Annotated[str | None, typer.Option(help="The question about it.")] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "--csv", help="Many: a file of questions; a path or a URL."),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            help="Its images: a folder or a URL.", show_default="those within it or beside it"
        ),
    ] = None,
    columns: Columns = None,
    out: Annotated[
        Path | None, typer.Option(help="Where its answers go, a .csv; a .json for --submission.")
    ] = None,
    submission: Annotated[
        Submission | None,
        typer.Option(help="Write the answers as this benchmark's server takes them."),
    ] = None,
    sure: Sure = None,
    batch_size: BatchSize = BATCH,
    as_json: AsJson = False,
) -> None:
    """Answer one question, or a file of them; no reference answers needed."""
    from evaluator.endpoints.address.options import AddressOptions
    from shared.corpus import parse_columns
    from shared.vqa.adapting.adapter_base import model_or_base
    from shared.vqa.inputs.instruction import checked_instruction

    instruction = checked_instruction(prompt, max_new_tokens)
    address = AddressOptions(
        endpoint, service, keys, in_flight, timeout, image_px, thinking, extra_body
    )
    given = {"quantize": quantize is not Quantization.NF4, "batch_size": batch_size != BATCH}
    address.require_sense(name for name, is_given in given.items() if is_given)
    laid_over = None if adapter is None else named_folder(adapter)[1]
    if not address.is_given:
        model = model_or_base(model, [] if laid_over is None else [laid_over])

    def predictor(images: str, size: int) -> Predictor:
        if address.is_given:
            return _at_an_address(address, model, adapter, images, instruction)
        return _loaded(model, laid_over, quantize, images, batch_size=size, instruction=instruction)

    asked = _typed({"--model": model, "--adapter": adapter, "--endpoint": endpoint})
    single, several = (image, question), (data, images, out, submission)
    if image and question and not any(several):
        from shared.images.stores import local_file

        file = local_file(image)
        _predict_one(predictor(str(file.parent), 1), file, question, sure, as_json)
        if not as_json:
            tell_next(
                "evaluator", "predict", *asked, "--data", "QUESTIONS.csv", "--out", "ANSWERS.csv"
            )
    elif data and out and not any(single):
        from shared.dataset.opening import opened_data

        opened = opened_data(data, images)
        chosen = predictor(opened.images, batch_size)
        _predict_file(chosen, opened.rows, out, parse_columns(columns), submission, sure=sure)
        if submission is None:
            tell_next("evaluator", "score", out, "--data", "DATA")
    else:
        raise InputError(
            "predict: give --image FILE --question TEXT, or --data FILE [--images DIR] --out FILE"
        )


def serve(
    *,
    model: Model = "",
    adapter: Adapter = None,
    quantize: Quantized = Quantization.NF4,
    prompt: Prompt = "",
    max_new_tokens: MaxNewTokens = None,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Address to listen on; port 0: any free; others than this machine need a token.",
        ),
    ] = "127.0.0.1:8000",
    host: Annotated[str | None, typer.Option(hidden=True)] = None,
    port: Annotated[int | None, typer.Option(hidden=True, min=0, max=65_535)] = None,
    token: Annotated[
        str | None, typer.Option(envvar=SERVE_TOKEN, help="What is asked for, if given.")
    ] = None,
    sure: Sure = None,
    batch_size: BatchSize = 32,
    queue: Annotated[
        int, typer.Option(help="Questions that may wait; more are told to come back.", min=1)
    ] = 64,
) -> None:
    """Answer questions over HTTP: POST /answer, and a page to try it with."""
    import asyncio

    from shared.vqa.adapting.adapter_base import model_or_base
    from shared.vqa.inputs.instruction import checked_instruction
    from shared.web.access import checked_address
    from shared.web.host_and_port import listening_at
    from shared.web.listening import require_free_address

    instruction = checked_instruction(prompt, max_new_tokens)
    laid_over = None if adapter is None else named_folder(adapter)[1]
    model = model_or_base(model, [] if laid_over is None else [laid_over])
    place = listening_at(listen, host, port)
    told = f"--listen {place[0]}:{place[1]}"
    address = checked_address(*place, token, option=told, variable=SERVE_TOKEN)
    asyncio.run(require_free_address(address, "--listen"))
    # torch takes seconds to import; what is misspelt need not wait for it.
    from evaluator.serve import Limits
    from evaluator.serve import serve as serve_replica

    serve_replica(
        _settings(
            model, laid_over, quantize, Path(), batch_size=batch_size, instruction=instruction
        ),
        address,
        Limits(batch_size, queue),
        sure,
        lambda url: _announce(model, url),
    )


def _announce(model: str, url: str) -> None:
    typer.echo(f"{model} answers at {url}; Ctrl-C ends it")
    tell_next("curl", "-F", "image=@PICTURE.jpg", "-F", "question=QUESTION", f"{url}answer")


def _typed(options: Mapping[str, str | None]) -> list[str]:
    return [word for option, value in options.items() if value for word in (option, value)]


def _settings(
    model: str,
    adapter: Path | None,
    quantize: Quantization,
    images: Path | str,
    *,
    batch_size: int,
    instruction: Instruction,
) -> ReplicaSettings:
    from evaluator.answering.replica_settings import replica_settings

    return replica_settings(
        model, adapter, quantize.value, images, batch_size=batch_size, instruction=instruction
    )


def _loaded(
    model: str,
    adapter: Path | None,
    quantize: Quantization,
    images: str,
    *,
    batch_size: int,
    instruction: Instruction,
) -> Predictor:
    """Return a model that is loaded in this process."""
    from evaluator.runs.predicting.predictors import LoadedPredictor

    return LoadedPredictor(
        _settings(model, adapter, quantize, images, batch_size=batch_size, instruction=instruction)
    )


def _at_an_address(
    address: AddressOptions,
    model: str,
    adapter: str | None,
    images: str,
    instruction: Instruction,
) -> Predictor:
    """Return a model that is asked over HTTP; ``adapter`` is the name of a module there."""
    from evaluator.answering.named_adapters import AdapterChoice
    from evaluator.endpoints.address.given import endpoint_of
    from evaluator.runs.predicting.predictors import AddressPredictor

    module = AdapterChoice(None if adapter is None else Path(adapter), {})
    return AddressPredictor(endpoint_of(address, model, module, instruction), images)


def _predict_file(
    predictor: Predictor,
    rows: Path,
    out: Path,
    columns: ColumnNames,
    submission: Submission | None,
    *,
    sure: Path | None,
) -> None:
    from evaluator.runs.predicting.predict import (
        predict_csv,
        predict_submission,
        read_sure,
    )

    if submission is not None and sure is not None:
        raise InputError("--sure: a server takes no more than answers; leave --submission out")
    if submission is None:
        answers = predict_csv(predictor, rows, out, columns, read_sure(sure))
    else:
        answers = predict_submission(predictor, rows, out, submission, columns)
    typer.echo(f"{out}: {answers} answers")


def _predict_one(
    predictor: Predictor, image: Path, question: str, sure: Path | None, as_json: bool
) -> None:
    from evaluator.answering.sureness import sure_cells
    from evaluator.runs.predicting.predict import predict_one, read_sure

    known = read_sure(sure)
    reply = predict_one(predictor, image, question, known)
    told = {} if known is None else sure_cells(known.sureness, reply.confidence)
    if as_json:
        failure = {"failure": reply.failure} if reply.failure else {}
        said = {"answer": reply.answer, "confidence": reply.confidence, **failure, **told}
        typer.echo(json.dumps(said))
    else:
        typer.echo(reply.answer + ("" if told.get("sure", True) else " (not sure: ask a person)"))
