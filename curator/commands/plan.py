"""``curator plan``: what a campaign will take, told before it begins."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from curator.annotators.batch.extra import require_key_for_jobs
from curator.annotators.models_to_ask import (
    free_quotas,
    models_to_ask,
    names_not_listed,
    require_free,
    settings_of_models,
)
from curator.campaign.beginning.as_given import (
    catalogue_of,
    concurrency_at,
    prompt_files,
    settings_asked,
)
from curator.catalog import catalog_columns, local_catalogue, open_catalog
from curator.commands.campaign_file import CampaignFile
from curator.commands.options import (
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
from curator.commands.typed import run_words
from curator.forecast.comparison import compared, comparison_view, free_way, tier_way
from curator.forecast.first_requests import (
    first_requests,
    requests_object,
    requests_view,
    taken_for_granted,
)
from curator.forecast.pictures import pictures_object, pictures_view, sampled_looks
from curator.forecast.plan import (
    Assumptions,
    Work,
    measure_catalog,
    plan_object,
    planned_work,
    with_limits,
)
from curator.forecast.plan_view import plan_view
from curator.forecast.remembered import Remembered, remembered
from curator.forecast.simulation import Load, simulate
from curator.judging.examples import read_sound_prompts
from curator.ledger import migrate_unless_busy, require_ledger
from curator.ledger.database.plain import reading
from curator.ledger.reports.counted import counted_replies
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.keyfile import KeyFile, read_key_file
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.known import KnownModel, ModelCatalogue
from shared.endpoints.models.prices import Price
from shared.endpoints.models.tier import Tier, require_taken
from shared.endpoints.protocols.registry import Service
from shared.endpoints.token_estimates import CountedReply, TokenEstimates
from shared.errors import InputError
from shared.images.fitness import Fitness
from shared.program.clock import SystemClock
from shared.program.command_line.next_step import tell_next

_USUAL_LATENCY_S: Final = 5.0
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
        show_default=f"{_USUAL_LATENCY_S:g}; the longest at other tiers",
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
    known_models = catalogue_of(models)
    pool = read_key_file(keys, source=service.protocol.keys)
    if tier is Tier.BATCH:
        require_key_for_jobs(pool.keys)
    wanted = _wanted_models(service, model or (), pool, known_models, is_free=free)
    described = [known_models.known(each.name) for each in wanted]
    require_taken(tier, described)
    prompts = read_sound_prompts(prompt_files(prompt), questions, answer_words).with_views(views)
    settings = settings_asked(thinking, image_detail)
    by_model = settings_of_models(service, described, settings)
    estimates = TokenEstimates(known_models.tile, settings)
    now = SystemClock().now()
    counted, heeded = _told_by(ledger, wanted, now)
    estimates.learn(counted)
    keys_there = with_limits(pool.keys, Quota(rpm=rpm, tpm=tpm, rpd=rpd))
    serving = heeded.serving_keys(keys_there, wanted)
    asked = heeded.served_models(serving, wanted)
    described = [known_models.known(each.name) for each in asked]
    opened = open_catalog(*local_catalogue(catalog, images), catalog_columns(columns))
    prompts.require_fields(opened)
    size = measure_catalog(opened, prompts, described, estimates).limited_to(limit)
    work = planned_work(size, prompts.questions, verify, output_tokens, canaries=canary)
    priced = _Priced(known_models, described, price_in, price_out)
    pace = _Pace(known_models, tier, latency_s, concurrency)
    planned = asyncio.run(
        _planned(service, asked, priced, pace, keys=serving, work=work, now=now, heeded=heeded)
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
    _show(planned)
    if context is not None:
        words = run_words(context)
        has_ledger = file is not None or "--ledger" in words
        tell_next(*words, *([] if has_ledger else ["--ledger", "campaign.db"]))


def _wanted_models(
    annotator: Service,
    names: Sequence[str],
    pool: KeyFile,
    known_models: ModelCatalogue,
    *,
    is_free: bool,
) -> tuple[AskedModel, ...]:
    """Return the models to plan for; a server of one's own may not have chosen its model yet."""
    asked = models_to_ask(annotator, names, pool.models, known_models) or (AskedModel(""),)
    if not is_free:
        return asked
    require_free(pool.keys)
    return free_quotas(asked, [known_models.known(each.name) for each in asked])


def _show(planned: Mapping[str, Any]) -> None:
    console = Console()
    for name, nearest in planned["not_listed"].items():
        near = f"; the nearest: {', '.join(nearest)}" if nearest else ""
        console.print(Text(f"{name} is in no catalogue of models{near}", "yellow"))
    console.print(plan_view(planned), *pictures_view(planned["pictures"]), sep="\n")
    for line in planned["told_by_ledger"]:
        console.print(Text(f"By the ledger: {line}", "yellow"))
    for line in planned["taken_for_granted"]:
        console.print(Text(line, "yellow"))
    console.print(comparison_view(planned["plans"]))
    console.print(requests_view(planned["first_requests"]))


def _told_by(
    ledger: Path | None, models: Sequence[AskedModel], now: float
) -> tuple[list[CountedReply], Remembered]:
    """Return what the service counted for the requests of a ledger, and what else it told."""
    if ledger is None:
        return [], Remembered()
    require_ledger(ledger)
    migrate_unless_busy(ledger)
    with reading(ledger) as connection:
        return counted_replies(connection), remembered(connection, models, now)


@dataclass(frozen=True, slots=True)
class _Priced:
    """The models that are planned for, and what they cost."""

    known: ModelCatalogue
    models: Sequence[KnownModel]
    input_usd: float | None
    output_usd: float | None

    def __post_init__(self) -> None:
        if (self.input_usd is None) != (self.output_usd is None):
            raise InputError("give both --price-in and --price-out, or neither")

    def at(self, tier: Tier) -> dict[str, Price | None]:
        return {model.name: self._price(model, tier) for model in self.models}

    def _price(self, model: KnownModel, tier: Tier) -> Price | None:
        price = model.price
        if self.input_usd is not None and self.output_usd is not None:
            price = Price(self.input_usd, self.output_usd, shares=self.known.tier_shares)
        return price and price.at(tier)


@dataclass(frozen=True, slots=True)
class _Pace:
    """How long requests take, and how many are in flight; what was given is for ``tier``."""

    known: ModelCatalogue
    tier: Tier
    latency_s: float | None
    concurrency: int | None

    def latency_at(self, tier: Tier) -> float:
        if self.latency_s is not None and tier is self.tier:
            return self.latency_s
        return float(self.known.tier_longest_s.get(tier, _USUAL_LATENCY_S))

    def concurrency_at(self, tier: Tier) -> int:
        return concurrency_at(tier, self.concurrency if tier is self.tier else None)


async def _planned(
    annotator: Service,
    asked: Sequence[AskedModel],
    priced: _Priced,
    pace: _Pace,
    *,
    keys: Sequence[Key],
    work: Work,
    now: float,
    heeded: Remembered,
) -> dict[str, Any]:
    """Return the plan, with other plans beside it."""
    tier = pace.tier
    latency_s, concurrency = pace.latency_at(tier), pace.concurrency_at(tier)
    if tier is Tier.BATCH:
        # Jobs have a quota of their own, and as far as that goes are all at work at once.
        keys, concurrency = [replace(key, quota=Quota()) for key in keys], work.requests
    assumed = Assumptions(concurrency, latency_s, priced.at(tier))
    tokens = {name: each.input for name, each in work.tokens.items()}
    all_jobs_s = latency_s * (work.rounds if tier is Tier.BATCH else 1)
    load = Load(work.requests, tokens, all_jobs_s, concurrency, work.canaries)
    served = [AskedModel(asked[0].name)] if tier is Tier.BATCH else asked
    course = await simulate(keys, served, load, now, records=heeded.records, closed=heeded.closed)
    planned = plan_object(keys, work, course, assumed, now)
    ways = [
        tier_way(
            each,
            asked,
            priced.models,
            priced.at(each),
            latency_s=pace.latency_at(each),
            concurrency=pace.concurrency_at(each),
        )
        for each in (Tier if annotator.protocol.has_listed_models else annotator.protocol.tiers)
    ]
    if annotator.protocol.has_listed_models:
        pace_s = pace.latency_at(Tier.STANDARD)
        width = pace.concurrency_at(Tier.STANDARD)
        ways.insert(0, free_way(asked, priced.models, pace_s, width))
    known = {tier.value: course}
    plans = await compared(ways, keys, work, now, known=known, heeded=heeded)
    return planned | {"plans": plans}
