"""``curator plan``: what a campaign will take, told before it begins."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from curator.commands.campaign.file_option import CampaignFile
from curator.commands.campaign.typed import run_words
from curator.commands.options import (
    USUAL_LATENCY_S,
    AnswerWords,
    AsJson,
    CanaryImages,
    CatalogPath,
    ColumnsOfTable,
    Concurrency,
    DetailOfImages,
    ImagesFolder,
    KeysFile,
    MinContrast,
    MinPixels,
    MinSharpness,
    ModelNames,
    ModelsPath,
    PromptFiles,
    QuestionsPerImage,
    ServiceName,
    ThinkingLevel,
    TierName,
    VerifiedShare,
    ViewsPerRequest,
)
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.registry import Service
from shared.program.command_line.next_step import tell_next

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
    float | None,
    typer.Option(
        "--latency",
        min=0.0,
        help="Seconds that a reply takes.",
        show_default=f"{USUAL_LATENCY_S:g}; the longest at other tiers",
    ),
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
PriceIn = Annotated[
    float | None,
    typer.Option("--price-in", "--input-price", min=0.0, help="US dollars a million tokens in."),
]
PriceOut = Annotated[
    float | None,
    typer.Option("--price-out", "--output-price", min=0.0, help="US dollars a million tokens out."),
]


def plan(
    context: typer.Context = None,  # type: ignore[assignment] # of the parser alone
    file: CampaignFile = None,
    *,
    catalog: CatalogPath,
    keys: KeysFile = None,
    images: ImagesFolder = None,
    columns: ColumnsOfTable = None,
    service: ServiceName = Service.GEMINI,
    model: ModelNames = None,
    models: ModelsPath = None,
    ledger: CountedLedger = None,
    prompt: PromptFiles = None,
    questions: QuestionsPerImage = None,
    answer_words: AnswerWords = None,
    views: ViewsPerRequest = 1,
    thinking: ThinkingLevel = None,
    image_detail: DetailOfImages = None,
    tier: TierName = Tier.STANDARD,
    limit: ImageLimit = None,
    verify: VerifiedShare = 0.0,
    canary: CanaryImages = 0,
    min_pixels: MinPixels = 0,
    min_contrast: MinContrast = 0.0,
    min_sharpness: MinSharpness = 0.0,
    concurrency: Concurrency = None,
    rpm: RequestsPerMinute = None,
    tpm: TokensPerMinute = None,
    rpd: RequestsPerDay = None,
    free: FreeQuota = False,
    latency_s: LatencySeconds = None,
    output_tokens: OutputTokens = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    as_json: AsJson = False,
) -> None:
    """Forecast a campaign's time, tokens and money.

    No request is sent.
    """
    import asyncio

    from curator.annotators.batch.extra import require_key_for_jobs
    from curator.annotators.models_to_ask import names_not_listed, settings_of_models
    from curator.campaign.beginning.as_given import catalogue_of, prompt_files, settings_asked
    from curator.catalog import catalog_columns, local_catalogue, open_catalog
    from curator.commands.campaign.planning import (
        Pace,
        Priced,
        plan_beside_others,
        show,
        told_by,
        wanted_models,
    )
    from curator.forecast.first_requests import first_requests, requests_object, taken_for_granted
    from curator.forecast.pictures import pictures_object, sampled_looks
    from curator.forecast.plan import measure_catalog, planned_work, with_limits
    from curator.judging.examples import read_sound_prompts
    from shared.endpoints.keys.keyfile import read_key_file
    from shared.endpoints.models.tier import require_taken
    from shared.endpoints.token_estimates import TokenEstimates
    from shared.images.fitness import Fitness
    from shared.program.clock import SystemClock

    known_models = catalogue_of(models)
    pool = read_key_file(keys, source=service.protocol.keys)
    if tier is Tier.BATCH:
        require_key_for_jobs(pool.keys)
    wanted = wanted_models(service, model or (), pool, known_models, is_free=free)
    described = [known_models.known(each.name) for each in wanted]
    require_taken(tier, described)
    prompts = read_sound_prompts(prompt_files(prompt), questions, answer_words).with_views(views)
    settings = settings_asked(thinking, image_detail)
    by_model = settings_of_models(service, described, settings)
    estimates = TokenEstimates(known_models.tile, settings)
    now = SystemClock().now()
    counted, heeded = told_by(ledger, wanted, now)
    estimates.learn(counted)
    keys_there = with_limits(pool.keys, Quota(rpm=rpm, tpm=tpm, rpd=rpd))
    serving = heeded.serving_keys(keys_there, wanted)
    asked = heeded.served_models(serving, wanted)
    described = [known_models.known(each.name) for each in asked]
    opened = open_catalog(*local_catalogue(catalog, images), catalog_columns(columns))
    prompts.require_fields(opened)
    size = measure_catalog(opened, prompts, described, estimates).limited_to(limit)
    work = planned_work(size, prompts.questions, verify, output_tokens, canaries=canary)
    priced = Priced(known_models, described, price_in, price_out)
    pace = Pace(known_models, tier, latency_s, concurrency)
    planned = asyncio.run(
        plan_beside_others(
            service, asked, priced, pace, keys=serving, work=work, now=now, heeded=heeded
        )
    )
    planned |= {
        "told_by_ledger": heeded.told(keys_there, wanted),
        "along": size.along,
        "not_listed": names_not_listed(service, described, known_models),
        "taken_for_granted": taken_for_granted(serving, asked),
        "first_requests": requests_object(
            first_requests(opened, prompts), asked[0].name, tier.value, by_model[asked[0].name]
        ),
        "pictures": pictures_object(
            sampled_looks(opened), Fitness(min_pixels, min_contrast, min_sharpness)
        ),
    }
    if as_json:
        json.dump(planned, sys.stdout, indent=2)
        print()
        return
    show(planned)
    if context is not None:
        words = run_words(context)
        has_ledger = file is not None or "--ledger" in words
        tell_next(*words, *([] if has_ledger else ["--ledger", "campaign.db"]))
