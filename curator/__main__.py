"""The ``curator`` command: parses, wires and runs.

Each command imports what it alone needs: the SDK, aiohttp, pydantic and SQLAlchemy take a second
and a half, and ``curator status`` has to answer in less than one.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from curator.annotators.annotator import DEFAULT_TIMEOUT_S, Service, model_name
from curator.keys.models import default_model, known_model
from curator.keys.variables import TOKEN_VARIABLE
from curator.pool.pool import OnExhausted
from curator.commands.rehearse import rehearse
from shared.errors import InputError
from shared.program.cli import run_program
from shared.program.clock import SystemClock, stopwatch

if TYPE_CHECKING:
    from curator.keys.prices import Price
    from curator.pairs.reparse import Rejudged
    from curator.status.status import Standing

app = typer.Typer(
    help="Makes a visual question answering data set out of a product catalogue.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

DEFAULT_MODEL: Final = default_model()
GARBAGE_THRESHOLD: Final = 20_000
"""New objects after which a run looks for garbage; Python's own is 700."""

CatalogOption = Annotated[
    Path,
    typer.Option(help="An ABO download, a table with an image column (CSV, JSON), or a folder."),
]
KeysOption = Annotated[
    Path | None,
    typer.Option(help="API keys: TOML, or a list (lines, .env, JSON, CSV); else GEMINI_API_KEYS."),
]
ImagesOption = Annotated[
    Path | None, typer.Option(help="Images folder, if not the catalogue's own.")
]
AnnotatorOption = Annotated[
    Service, typer.Option(help="Whose protocol: Gemini's, or OpenAI's (Ollama, vLLM, ...).")
]
ModelOption = Annotated[
    str | None, typer.Option(help="Model.", show_default=f"{DEFAULT_MODEL} for gemini")
]
VerifyOption = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        metavar="FRACTION",
        help="Send that share of the questions back, without the answers, and compare.",
    ),
]
QuestionsOption = Annotated[int, typer.Option(min=1, max=50, help="Questions an image.")]
WordsOption = Annotated[int, typer.Option(min=1, max=20, help="Longest answer.")]
ConcurrencyOption = Annotated[
    int, typer.Option(min=1, max=1024, help="Requests in flight at most.")
]
LedgerOption = Annotated[Path, typer.Option("--ledger", help="The campaign's file (SQLite).")]


@app.command()
def run(
    *,
    catalog: CatalogOption,
    ledger: LedgerOption,
    keys: KeysOption = None,
    images: ImagesOption = None,
    annotator: AnnotatorOption = Service.GEMINI,
    model: ModelOption = None,
    base_url: Annotated[
        str | None, typer.Option(help="Another server, such as `curator rehearse`.")
    ] = None,
    questions: QuestionsOption = 10,
    answer_words: WordsOption = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop once so many images are settled in all.")
    ] = None,
    concurrency: ConcurrencyOption = 16,
    on_exhausted: Annotated[
        OnExhausted, typer.Option(help="With no quota left: exit 75, or wait for the next day.")
    ] = OnExhausted.STOP,
    status_at: Annotated[
        str | None, typer.Option("--status", metavar="HOST:PORT", help="Serve a status page.")
    ] = None,
    status_token: Annotated[
        str | None,
        typer.Option(
            envvar=TOKEN_VARIABLE,
            help="What the status page asks for; needed where others can reach it.",
        ),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Longest wait for a reply, seconds.")
    ] = DEFAULT_TIMEOUT_S,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Stay; twice a minute, look for listings that were added."),
    ] = False,
    verify: VerifyOption = 0.0,
    shuffle: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            help="Ask in an order drawn by SEED, so that every part is a fair sample; kept.",
        ),
    ] = None,
    retry_dead: Annotated[
        bool, typer.Option("--retry-dead", help="Return what was given up to the queue first.")
    ] = False,
    retry_keys: Annotated[
        bool, typer.Option("--retry-keys", help="Try keys again that failed for good before.")
    ] = False,
) -> None:
    """Ask for questions and answers about every image; goes on where it stopped."""
    # What is imported stays, and requests leave little garbage: looking through it all again and
    # again would cost the start a quarter, and the run a tenth.
    gc.set_threshold(GARBAGE_THRESHOLD)
    from curator.campaign.run import RunOptions, plan_run
    from curator.campaign.run import run as run_campaign

    if model is None and annotator is not Service.GEMINI:
        raise InputError(f"--annotator {annotator.value}: say which with --model NAME")
    options = RunOptions(
        catalog=catalog,
        keys=keys,
        ledger=ledger,
        images=images,
        annotator=annotator,
        model=model_name(annotator, model or DEFAULT_MODEL),
        base_url=base_url,
        questions=questions,
        answer_words=answer_words,
        limit=limit,
        concurrency=concurrency,
        on_exhausted=on_exhausted,
        status=status_at,
        status_token=status_token,
        timeout_s=timeout_s,
        watch=watch,
        retry_dead=retry_dead,
        retry_keys=retry_keys,
        verify=verify,
        shuffle=shuffle,
    )
    started = stopwatch()
    gc.freeze()
    progress = asyncio.run(run_campaign(options, plan_run(options), SystemClock()))
    print(
        f"{progress.done} of {progress.total} images done, {progress.dead} given up, "
        f"{progress.pending} waiting; {stopwatch() - started:.1f} s"
    )
    if left_out := _left_out_words(ledger):
        print(f"left out of the catalogue: {left_out}")


def _left_out_words(ledger: Path) -> str:
    from curator.ledger.database.plain import reading
    from curator.ledger.reports.campaigns import left_out
    from curator.status.status import left_out_words

    with reading(ledger) as connection:
        return "; ".join(map(left_out_words, left_out(connection)))


@app.command()
def status(
    ledger: LedgerOption,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell the progress, the keys, the tokens, the cost, what was given up and the time left."""
    from rich.console import Console

    from curator.ledger import require_ledger
    from curator.status.status import status_object, status_view

    require_ledger(ledger)
    now = SystemClock().now()
    standings = _standings(ledger, now)
    if as_json:
        json.dump(status_object(standings, now), sys.stdout, indent=2)
        print()
    else:
        Console().print(status_view(standings, now))


@app.command()
def plan(
    *,
    catalog: CatalogOption,
    keys: KeysOption = None,
    images: ImagesOption = None,
    annotator: AnnotatorOption = Service.GEMINI,
    model: ModelOption = None,
    questions: QuestionsOption = 10,
    answer_words: WordsOption = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Images at most.")] = None,
    verify: VerifyOption = 0.0,
    concurrency: ConcurrencyOption = 16,
    rpm: Annotated[
        int | None, typer.Option(min=1, help="Requests a minute, for keys that state no limits.")
    ] = None,
    tpm: Annotated[int | None, typer.Option(min=1, help="Input tokens a minute, the same.")] = None,
    rpd: Annotated[int | None, typer.Option(min=1, help="Requests a day, the same.")] = None,
    latency_s: Annotated[
        float, typer.Option("--latency", min=0.0, help="Seconds that a reply takes.")
    ] = 5.0,
    output_tokens: Annotated[
        int | None, typer.Option(min=0, help="Output tokens a request, thinking included.")
    ] = None,
    input_price: Annotated[
        float | None, typer.Option(min=0.0, help="US dollars a million input tokens.")
    ] = None,
    output_price: Annotated[
        float | None, typer.Option(min=0.0, help="US dollars a million output tokens.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell how long a campaign will take, its tokens and its money; sends no request."""
    from rich.console import Console

    from curator.annotators.prompt import Prompt
    from curator.catalog import open_catalog
    from curator.forecast.plan import (
        ANSWER_TOKENS,
        Assumptions,
        measure_catalog,
        plan_object,
        plan_view,
        planned_work,
        with_limits,
    )
    from curator.forecast.simulation import Load, simulate
    from curator.keys.keyfile import read_keys, read_optional_keys
    from curator.keys.quota import Quota

    name = _named(annotator, model)
    prompt = Prompt(questions, answer_words, known_model(name).image_tokens)
    read = read_keys if annotator is Service.GEMINI else read_optional_keys
    found = with_limits(read(keys), Quota(rpm=rpm, tpm=tpm, rpd=rpd))
    size = measure_catalog(open_catalog(catalog, images), prompt)
    size = replace(size, images=min(size.images, limit or size.images))
    answered = ANSWER_TOKENS * questions if output_tokens is None else output_tokens
    work = planned_work(size, questions, verify, answered)
    price = _price(name, input_price, output_price)
    assumed = Assumptions(concurrency=concurrency, latency_s=latency_s, price=price)
    now = SystemClock().now()
    load = Load(work.requests, work.input_tokens, latency_s, concurrency)
    course = asyncio.run(simulate(found, load, now))
    planned = plan_object(found, work, course, assumed, now)
    if as_json:
        json.dump(planned, sys.stdout, indent=2)
        print()
    else:
        Console().print(plan_view(planned))


def _named(annotator: Service, model: str | None) -> str:
    if model is None:
        return DEFAULT_MODEL if annotator is Service.GEMINI else ""
    return model_name(annotator, model)


def _price(model: str, input_price: float | None, output_price: float | None) -> Price | None:
    from curator.keys.prices import Price

    if input_price is None and output_price is None:
        return known_model(model).price
    if input_price is None or output_price is None:
        raise InputError("give both --input-price and --output-price, or neither")
    return Price(input_price, output_price)


@app.command()
def export(
    ledger: LedgerOption,
    out: Annotated[Path, typer.Option(help="A .csv, .jsonl or .parquet file, or a folder.")],
    campaign: Annotated[
        int | None, typer.Option(help="Which campaign, where the ledger holds several.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Images folder, if it moved since the run.")
    ] = None,
    embed_images: Annotated[
        bool, typer.Option("--embed-images", help="Put the images into the folder's split files.")
    ] = False,
) -> None:
    """Write the pairs: a file by its suffix, or a data set folder split by product."""
    from curator.ledger import require_ledger
    from curator.pairs.export import FILE_SUFFIXES

    require_ledger(ledger)
    if out.suffix and out.suffix.lower() not in FILE_SUFFIXES and not out.is_dir():
        raise InputError(f"{out}: use .csv, .jsonl or .parquet, or a folder without a suffix")
    if embed_images and out.suffix:
        raise InputError(f"{out}: --embed-images is for a folder; give --out without a suffix")
    count, missing = asyncio.run(_export(ledger, out, campaign, images, embeds=embed_images))
    print(f"{count} pairs in {out}")
    for line in missing:
        print(f"left out: {line}")


@app.command()
def reparse(
    ledger: LedgerOption,
    campaign: Annotated[
        int | None, typer.Option(help="Which campaign, where the ledger holds several.")
    ] = None,
    answer_words: Annotated[
        int | None, typer.Option(min=1, max=20, help="Longest answer, if not the campaign's own.")
    ] = None,
) -> None:
    """Judge the kept replies again, by this release's parser and rules; sends no request."""
    from curator.ledger import require_ledger

    require_ledger(ledger)
    changed = asyncio.run(_reparse(ledger, campaign, answer_words))
    print(
        f"{changed.items} images judged again, {changed.pairs} pairs; "
        f"{changed.gained} images gained, {changed.lost} given up"
    )


app.command()(rehearse)


async def _reparse(path: Path, wanted: int | None, answer_words: int | None) -> Rejudged:
    from curator.ledger import Ledger, migrate, sole_writer
    from curator.pairs.export import choose_campaign
    from curator.pairs.reparse import prompt_of
    from curator.pairs.reparse import reparse as judge_replies
    from shared.program.progress import report_progress

    now = SystemClock().now()
    with sole_writer(path):
        migrate(path)
        async with Ledger.opened(path) as ledger:
            asked = [report for report in await ledger.reports(now) if report.outcomes]
            report = choose_campaign(asked, wanted, path)
            prompt = prompt_of(report.campaign, answer_words)
            with report_progress("judging replies", None) as progress:
                return await judge_replies(ledger, report.campaign_id, prompt, now, progress)


def _standings(path: Path, now: float) -> list[Standing]:
    from curator.forecast.forecast import forecast
    from curator.ledger import migrate_unless_busy
    from curator.ledger.database.plain import reading
    from curator.ledger.reports.campaigns import campaign_reports
    from curator.ledger.reports.forecasting import memory
    from curator.status.status import Standing

    migrate_unless_busy(path)
    with reading(path) as connection:
        known = [(one, memory(connection, one, now)) for one in campaign_reports(connection, now)]
    return [Standing(report, forecast(report, memory, now)) for report, memory in known]


async def _export(
    path: Path, out: Path, campaign: int | None, images: Path | None, *, embeds: bool
) -> tuple[int, list[str]]:
    from curator.ledger import Ledger, migrate_unless_busy
    from curator.pairs.export import (
        FILE_SUFFIXES,
        choose_campaign,
        export_file,
        export_folder,
        left_out,
    )

    migrate_unless_busy(path)
    async with Ledger.opened(path) as ledger:
        reports = [one for one in await ledger.reports(SystemClock().now()) if one.pairs]
        chosen = choose_campaign(reports, campaign, path)
        missing = await left_out(ledger, chosen, reports)
        if out.suffix.lower() in FILE_SUFFIXES:
            return await export_file(ledger, chosen, out), missing
        folders = [Path(folder) for folder in await ledger.images_dirs()]
        folder = images or folders[0]
        return await export_folder(ledger, chosen, out, folder, embeds=embeds), missing


def main() -> None:
    """Run the command line."""
    run_program(app, "curator")


if __name__ == "__main__":
    main()
