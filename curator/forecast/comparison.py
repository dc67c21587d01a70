"""The ways in which a campaign can be done, side by side: on free keys, or at each tier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curator.forecast.plan import (
    Assumptions,
    Work,
    by_models,
    cost_object,
    requests_of,
)
from curator.forecast.plan_view import cells, columns
from curator.forecast.remembered import Remembered
from curator.forecast.simulation import Course, Load, simulate
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import LIMITS, Quota
from shared.endpoints.models.known import KnownModel
from shared.endpoints.models.prices import NOTHING, Price
from shared.endpoints.models.tier import Tier
from shared.errors import InputError
from shared.program.durations import duration
from shared.value_class import value_class

FREE: Final = "free keys"
_AT_MOST: Final = (Tier.FLEX, Tier.BATCH)
"""Tiers of which only the longest time is known."""


@value_class
class Way:
    """A way to do a campaign: whom it asks, within which limits, at what price and pace.

    ``latency_s`` is what a request takes, at most where ``is_at_most``; ``has_quotas`` says that
    the keys' limits hold. ``notes`` say what to know, and where no model is asked, why.
    """

    name: str
    models: Sequence[AskedModel]
    prices: Mapping[str, Price | None]
    latency_s: float
    concurrency: int
    is_at_most: bool = False
    has_quotas: bool = True
    notes: tuple[str, ...] = ()


def free_way(
    models: Sequence[AskedModel], known: Sequence[KnownModel], latency_s: float, concurrency: int
) -> Way:
    """Return the way that costs nothing: within what each model allows without billing."""
    free, notes = [], []
    for asked, model in zip(models, known, strict=True):
        limits = {name: getattr(model.free, name) for name in LIMITS}
        if 0 in limits.values():
            notes.append(f"{model.name} is not to be had without billing")
        elif limits["rpd"] is None:
            notes.append(f"what {model.name} allows without billing is not known")
        else:
            free.append(AskedModel(asked.name, asked.quota_with(Quota(**limits))))
    prices = dict.fromkeys((model.name for model in known), NOTHING)
    return Way(FREE, free, prices, latency_s, concurrency, notes=tuple(notes))


def tier_way(
    tier: Tier,
    models: Sequence[AskedModel],
    known: Sequence[KnownModel],
    prices: Mapping[str, Price | None],
    *,
    latency_s: float,
    concurrency: int,
) -> Way:
    """Return the way to ask those of ``models`` at ``tier`` that are not known to lack it."""
    taking: list[AskedModel] = []
    notes: list[str] = []
    for asked, model in zip(models, known, strict=True):
        if model.tiers and tier not in model.tiers:
            notes.append(f"{model.name} takes {', '.join(model.tiers)}")
        elif not taking or tier is not Tier.BATCH:
            # Without quotas to add up, the preferred model does it all.
            taking.append(asked)
            if not model.tiers and tier is not Tier.STANDARD:
                notes.append(f"whether {model.name} takes {tier} is not known")
            if prices[model.name] is None:
                notes.append(f"no price of {model.name} is known")
    if taking and tier is Tier.FLEX:
        notes.append(f"a reply takes {duration(latency_s)} at most, and may be shed")
    if taking and tier is Tier.BATCH:
        notes.append(f"a job takes {duration(latency_s)} at most, within a quota of its own")
    return Way(
        tier.value,
        taking,
        prices,
        latency_s,
        concurrency,
        is_at_most=tier in _AT_MOST,
        has_quotas=tier is not Tier.BATCH,
        notes=tuple(notes),
    )


async def compared(
    ways: Sequence[Way],
    keys: Sequence[Key],
    work: Work,
    now: float,
    *,
    known: Mapping[str, Course],
    heeded: Remembered,
) -> list[dict[str, Any]]:
    """Return what each way takes, as plain values; ``None`` for what is not known, and ``notes``.

    ``known`` are courses that were simulated already, by the name of the way; ``heeded`` is what
    a ledger remembers.
    """
    return [
        await _told(way, _keys_for(way, keys), work, now, course=known.get(way.name), heeded=heeded)
        for way in ways
    ]


def _keys_for(way: Way, keys: Sequence[Key]) -> Sequence[Key]:
    """Return the keys that serve in a way: accounts of Google Cloud pay, and make no jobs."""
    takes_accounts = way.name not in {FREE, Tier.BATCH.value}
    return keys if takes_accounts else [key for key in keys if key.account is None]


async def _told(
    way: Way,
    keys: Sequence[Key],
    work: Work,
    now: float,
    *,
    course: Course | None,
    heeded: Remembered,
) -> dict[str, Any]:
    assumed = Assumptions(way.concurrency, way.latency_s, way.prices)
    if not way.models:
        return _row(way, None, None, {}, way.notes)
    if not keys:
        return _row(way, None, None, {}, ("accounts of Google Cloud serve in another way",))
    notes = way.notes
    if way.has_quotas and any(
        model.quota_with(key.quota) == Quota() for key in keys for model in way.models
    ):
        notes += ("some keys state no limits, so none are reckoned with (see --rpm, --tpm, --rpd)",)
    if not way.has_quotas:
        requests = {way.models[0].name: work.requests}
        cost = cost_object(requests, work, assumed, {})
        if work.second_opinions:
            notes += ("second opinions go in jobs of their own, after the first ones",)
        return _row(way, way.latency_s * work.rounds, cost, requests, notes)
    tokens = {model.name: work.tokens[model.name].input for model in way.models}
    load = Load(work.requests, tokens, way.latency_s, way.concurrency, work.canaries)
    try:
        course = course or await simulate(
            keys, way.models, load, now, records=heeded.records, closed=heeded.closed
        )
    except InputError as error:
        return _row(way, None, None, {}, (*notes, str(error)))
    asked, again = map(by_models, requests_of(course))
    cost = cost_object(asked, work, assumed, again)
    return _row(way, course.ends_at - now, cost, asked, notes)


def _row(
    way: Way,
    duration_s: float | None,
    cost: Mapping[str, Any] | None,
    requests: Mapping[str, int],
    notes: Sequence[str],
) -> dict[str, Any]:
    nothing = dict.fromkeys(("requests", "input_tokens", "output_tokens", "usd"))
    return {
        "plan": way.name,
        "duration_s": duration_s,
        "is_at_most": way.is_at_most,
        **(cost or nothing),
        "requests_by_model": dict(requests),
        "notes": list(notes),
    }


def comparison_view(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return the rows of ``compared`` for a terminal."""
    table = Table("plan", "time", *columns(), title="plans compared", title_justify="left")
    plans: dict[str, list[str]] = {}
    for row in rows:
        table.add_row(row["plan"], _time(row), *cells(row))
        for note in row["notes"]:
            plans.setdefault(note, []).append(row["plan"])
    notes = [Text(f"{', '.join(names)}: {note}.") for note, names in plans.items()]
    return Group(table, *notes)


def _time(row: Mapping[str, Any]) -> str:
    if row["duration_s"] is None or not math.isfinite(row["duration_s"]):
        return "?"
    return f"{'up to ' if row['is_at_most'] else ''}{duration(row['duration_s'])}"
