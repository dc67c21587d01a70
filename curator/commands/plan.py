"""``curator plan``: what a campaign will take, told before it begins."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from curator.annotators.models_to_ask import (
    free_quotas,
    models_to_ask,
    settings_of_models,
    warn_of_unlisted,
)
from curator.annotators.registry import Service
from curator.annotators.token_estimates import CountedReply, TokenEstimates
from curator.catalog import catalog_columns, open_catalog
from curator.commands.options import (
    AnnotatorName,
    AnswerWords,
    AsJson,
    CatalogPath,
    ColumnsOfTable,
    Concurrency,
    DetailOfImages,
    ImagesFolder,
    KeysFile,
    ModelNames,
    ModelsPath,
    QuestionsPerImage,
    ThinkingLevel,
    TierName,
    VerifiedShare,
    catalogue_of,
    concurrency_at,
    settings_asked,
)
from curator.forecast.plan import (
    Assumptions,
    measure_catalog,
    plan_object,
    plan_view,
    planned_work,
    with_limits,
)
from curator.forecast.simulation import Load, simulate
from curator.keys.asked_model import AskedModel
from curator.keys.keyfile import read_key_file
from curator.keys.quota import Quota
from curator.ledger import migrate_unless_busy, require_ledger
from curator.ledger.database.plain import reading
from curator.ledger.reports.counted import counted_replies
from curator.models.known import KnownModel
from curator.models.prices import Price
from curator.models.tier import Tier, require_taken
from curator.prompts.prompt import Prompt
from shared.errors import InputError
from shared.program.clock import SystemClock

ImageLimit = Annotated[int | None, typer.Option(min=1, help="Most images.")]
RequestsPerMinute = Annotated[
    int | None, typer.Option(min=1, help="Requests a minute, for keys that state no limits.")
]
TokensPerMinute = Annotated[
    int | None, typer.Option(min=1, help="Input tokens a minute, for keys that state no limits.")
]
RequestsPerDay = Annotated[
    int | None, typer.Option(min=1, help="Requests a day, for keys that state no limits.")
]
FreeQuota = Annotated[
    bool,
    typer.Option("--free", help="Take what each model allows without billing, where it is known."),
]
LatencySeconds = Annotated[
    float, typer.Option("--latency", min=0.0, help="Seconds that a reply takes.")
]
CountedLedger = Annotated[
    Path | None,
    typer.Option(
        "--ledger", help="Ledger whose replies tell what requests take, such as a trial's."
    ),
]
OutputTokens = Annotated[
    int | None, typer.Option(min=0, help="Output tokens a request, thinking included.")
]
InputPrice = Annotated[
    float | None, typer.Option(min=0.0, help="US dollars a million input tokens.")
]
OutputPrice = Annotated[
    float | None, typer.Option(min=0.0, help="US dollars a million output tokens.")
]


def plan(
    *,
    catalog: CatalogPath,
    keys: KeysFile = None,
    images: ImagesFolder = None,
    columns: ColumnsOfTable = None,
    annotator: AnnotatorName = Service.GEMINI,
    model: ModelNames = None,
    models: ModelsPath = None,
    ledger: CountedLedger = None,
    questions: QuestionsPerImage = 10,
    answer_words: AnswerWords = 1,
    thinking: ThinkingLevel = None,
    image_detail: DetailOfImages = None,
    tier: TierName = Tier.STANDARD,
    limit: ImageLimit = None,
    verify: VerifiedShare = 0.0,
    concurrency: Concurrency = None,
    rpm: RequestsPerMinute = None,
    tpm: TokensPerMinute = None,
    rpd: RequestsPerDay = None,
    free: FreeQuota = False,
    latency_s: LatencySeconds = 5.0,
    output_tokens: OutputTokens = None,
    input_price: InputPrice = None,
    output_price: OutputPrice = None,
    as_json: AsJson = False,
) -> None:
    """Forecast a campaign's time, tokens and money.

    No request is sent.
    """
    known_models = catalogue_of(models)
    pool = read_key_file(keys, source=annotator.protocol.keys)
    # A server of one's own may be planned for before its model is chosen.
    asked = models_to_ask(annotator, model or (), pool.models, known_models) or (AskedModel(""),)
    described = [known_models.known(each.name) for each in asked]
    warn_of_unlisted(annotator, asked, known_models)
    if free:
        asked = free_quotas(asked, described)
    prompt = Prompt(questions, answer_words)
    limited = with_limits(pool.keys, Quota(rpm=rpm, tpm=tpm, rpd=rpd))
    settings = settings_asked(thinking, image_detail)
    settings_of_models(annotator, described, settings)
    require_taken(tier, described)
    estimates = TokenEstimates(known_models.tile, settings)
    if ledger is not None:
        estimates.learn(_counted(ledger))
    size = measure_catalog(
        open_catalog(catalog, images, catalog_columns(columns)), prompt, described, estimates
    )
    size = replace(size, images=min(size.images, limit or size.images))
    work = planned_work(size, questions, verify, output_tokens)
    prices = {each.name: _price(each, tier, input_price, output_price) for each in described}
    concurrency = concurrency_at(tier, concurrency)
    assumed = Assumptions(concurrency=concurrency, latency_s=latency_s, prices=prices)
    now = SystemClock().now()
    tokens = {name: each.input for name, each in work.tokens.items()}
    load = Load(work.requests, tokens, latency_s, concurrency)
    course = asyncio.run(simulate(limited, asked, load, now))
    planned = plan_object(limited, work, course, assumed, now)
    if as_json:
        json.dump(planned, sys.stdout, indent=2)
        print()
    else:
        Console().print(plan_view(planned))


def _counted(ledger: Path) -> list[CountedReply]:
    """Return what the service counted for the requests of a ledger."""
    require_ledger(ledger)
    migrate_unless_busy(ledger)
    with reading(ledger) as connection:
        return counted_replies(connection)


def _price(
    model: KnownModel, tier: Tier, input_price: float | None, output_price: float | None
) -> Price | None:
    if input_price is None and output_price is None:
        return model.price and model.price.at(tier)
    if input_price is None or output_price is None:
        raise InputError("give both --input-price and --output-price, or neither")
    return Price(input_price, output_price)
