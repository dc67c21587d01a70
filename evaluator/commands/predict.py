"""``evaluator predict`` and ``evaluator serve``: one model that answers in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluator.commands.options import (
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
from evaluator.runs.submissions import Submission
from shared.corpus import parse_columns
from shared.errors import InputError
from shared.vqa.inputs.instruction import MAX_NEW_TOKENS, Instruction, checked_instruction
from shared.vqa.names.model_names import resolve_model
from shared.vqa.quantization import Quantization

if TYPE_CHECKING:
    from evaluator.answering.replica_settings import ReplicaSettings

SERVE_TOKEN = "EVALUATOR_TOKEN"  # noqa: S105 (a name, no token)


def predict(
    model: Model,
    *,
    adapter: Adapter = None,
    quantize: Quantized = Quantization.NF4,
    prompt: Prompt = "",
    max_new_tokens: MaxNewTokens = MAX_NEW_TOKENS,
    image: Annotated[
        str | None, typer.Option(help="One image file; a path, or of the hub.")
    ] = None,
    question: Annotated[str | None, typer.Option(help="The question about it.")] = None,
    csv: Annotated[
        str | None, typer.Option(help="Many: a file of questions; a path or a URL.")
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
    batch_size: BatchSize = 64,
    as_json: AsJson = False,
) -> None:
    """Answer one question, or a file of them; no reference answers needed."""
    instruction = checked_instruction(prompt, max_new_tokens)
    resolve_model(model)
    single, several = (image, question), (csv, images, out, submission)
    if image and question and not any(several):
        from shared.images.stores import local_file  # noqa: PLC0415

        file = local_file(image)
        settings = _settings(
            model, adapter, quantize, file.parent, batch_size=1, instruction=instruction
        )
        _predict_one(settings, file, question, sure, as_json)
    elif csv and out and not any(single):
        from shared.dataset.opening import opened_data  # noqa: PLC0415

        opened = opened_data(csv, images)
        settings = _settings(
            model, adapter, quantize, opened.images, batch_size=batch_size, instruction=instruction
        )
        from evaluator.runs.predict import (  # noqa: PLC0415
            predict_csv,
            predict_submission,
            read_sure,
        )

        named = parse_columns(columns)
        if submission is not None and sure is not None:
            raise InputError("--sure: a server takes no more than answers; leave --submission out")
        if submission is None:
            answers = predict_csv(settings, opened.rows, out, named, read_sure(sure))
        else:
            answers = predict_submission(settings, opened.rows, out, submission, named)
        typer.echo(f"{out}: {answers} answers")
    else:
        raise InputError(
            "predict: give --image FILE --question TEXT, or --csv FILE [--images DIR] --out FILE"
        )


def serve(
    model: Model,
    *,
    adapter: Adapter = None,
    quantize: Quantized = Quantization.NF4,
    prompt: Prompt = "",
    max_new_tokens: MaxNewTokens = MAX_NEW_TOKENS,
    host: Annotated[str, typer.Option(help="Others than this machine need a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free.", min=0, max=65_535)] = 8000,
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
    from shared.web.access import checked_address  # noqa: PLC0415

    instruction = checked_instruction(prompt, max_new_tokens)
    resolve_model(model)
    address = checked_address(host, port, token, option=f"--host {host}", variable=SERVE_TOKEN)
    # torch takes seconds to import; what is misspelt need not wait for it.
    from evaluator.serve import Limits  # noqa: PLC0415
    from evaluator.serve import serve as serve_replica  # noqa: PLC0415

    serve_replica(
        _settings(model, adapter, quantize, Path(), batch_size=batch_size, instruction=instruction),
        address,
        Limits(batch_size, queue),
        sure,
        lambda url: typer.echo(f"{model} answers at {url}; Ctrl-C ends it"),
    )


def _settings(
    model: str,
    adapter: Path | None,
    quantize: Quantization,
    images: Path | str,
    *,
    batch_size: int,
    instruction: Instruction,
) -> ReplicaSettings:
    from evaluator.answering.replica_settings import replica_settings  # noqa: PLC0415

    return replica_settings(
        model, adapter, quantize.value, images, batch_size=batch_size, instruction=instruction
    )


def _predict_one(
    settings: ReplicaSettings, image: Path, question: str, sure: Path | None, as_json: bool
) -> None:
    from evaluator.answering.sureness import sure_cells  # noqa: PLC0415
    from evaluator.runs.predict import predict_one, read_sure  # noqa: PLC0415

    known = read_sure(sure)
    reply = predict_one(settings, image, question, known)
    told = {} if known is None else sure_cells(known.sureness, reply.confidence)
    if as_json:
        said = {"answer": reply.answer, "confidence": reply.confidence, **told}
        typer.echo(json.dumps(said))
    else:
        typer.echo(reply.answer + ("" if told.get("sure", True) else " (not sure: ask a person)"))
