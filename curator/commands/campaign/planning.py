"""What ``curator plan`` works out: a plan, with others beside it, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from curator.annotators.models_to_ask import (
    free_quotas,
    models_to_ask,
    require_free,
)
from curator.campaign.beginning.as_given import (
    concurrency_at,
)
from curator.commands.options import USUAL_LATENCY_S
from curator.forecast.comparison import compared, comparison_view, free_way, tier_way
from curator.forecast.first_requests import (
    requests_view,
)
from curator.forecast.pictures import pictures_view
from curator.forecast.plan import (
    Assumptions,
    Work,
    plan_object,
)
from curator.forecast.plan_view import plan_view
from curator.forecast.remembered import Remembered, remembered
from curator.forecast.simulation import Load, simulate
from curator.ledger import migrate_unless_busy, require_ledger
from curator.ledger.database.plain import reading
from curator.ledger.reports.counted import counted_replies
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.keyfile import KeyFile
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.known import KnownModel, ModelCatalogue
from shared.endpoints.models.prices import Price
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.registry import Service
from shared.endpoints.token_estimates import CountedReply
from shared.errors import InputError
from shared.value_class import value_class


def wanted_models(
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


def show(planned: Mapping[str, Any]) -> None:
    """Print a plan, those beside it, and what is to be known before the run."""
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


def told_by(
    ledger: Path | None, models: Sequence[AskedModel], now: float
) -> tuple[list[CountedReply], Remembered]:
    """Return what the service counted for the requests of a ledger, and what else it told."""
    if ledger is None:
        return [], Remembered()
    require_ledger(ledger)
    migrate_unless_busy(ledger)
    with reading(ledger) as connection:
        return counted_replies(connection), remembered(connection, models, now)


@value_class
class Priced:
    """The models that are planned for, and what they cost."""

    known: ModelCatalogue
    models: Sequence[KnownModel]
    input_usd: float | None
    output_usd: float | None

    def __post_init__(self) -> None:
        if (self.input_usd is None) != (self.output_usd is None):
            raise InputError("give both --price-in and --price-out, or neither")

    def at(self, tier: Tier) -> dict[str, Price | None]:
        """Return what each model costs at a tier, where it is known."""
        return {model.name: self._price(model, tier) for model in self.models}

    def _price(self, model: KnownModel, tier: Tier) -> Price | None:
        price = model.price
        if self.input_usd is not None and self.output_usd is not None:
            price = Price(self.input_usd, self.output_usd, shares=self.known.tier_shares)
        return price and price.at(tier)


@value_class
class Pace:
    """How long requests take, and how many are in flight; what was given is for ``tier``."""

    known: ModelCatalogue
    tier: Tier
    latency_s: float | None
    concurrency: int | None

    def latency_at(self, tier: Tier) -> float:
        """Return the seconds that a reply takes at a tier."""
        if self.latency_s is not None and tier is self.tier:
            return self.latency_s
        return float(self.known.tier_longest_s.get(tier, USUAL_LATENCY_S))

    def concurrency_at(self, tier: Tier) -> int:
        """Return how many requests are in flight at a tier."""
        return concurrency_at(tier, self.concurrency if tier is self.tier else None)


async def plan_beside_others(
    annotator: Service,
    asked: Sequence[AskedModel],
    priced: Priced,
    pace: Pace,
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
