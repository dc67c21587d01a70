"""When a campaign will be done, by what is left of its keys' quotas.

The recent rate says little about a campaign that spends its quota in an hour and then rests until
midnight, so the real pool is run over what is left, by ``curator.forecast.simulation``: to the
end where that is near, else for a while, to learn at what rate a day's quota is spent.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from curator.forecast.simulation import UNUSED, Course, Load, simulate
from curator.ledger import CampaignReport, Memory
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota_day import day_start, next_day, quota_date
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse
from shared.errors import InputError
from shared.program.clock import Clock, stopwatch
from shared.program.durations import DAY_S, MINUTE_S
from shared.value_class import value_class

SIMULATED: Final = 1_000
"""Requests that are simulated one by one; what is beyond goes on at their rate, day by day."""
SMALL_DAY: Final = 500
"""Requests a day, of all keys, up to which whole days are simulated."""
FIRST_LATENCY_S: Final = 5.0
FIRST_TOKENS: Final = 700
"""Seconds and input tokens of a request, until the first replies tell."""
MOST_TRIES: Final = 5.0
DEFAULT_CONCURRENCY: Final = 16
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 60.0
COST_SHARE: Final = 20


@value_class
class Forecast:
    """``ends_at`` in seconds since the epoch, or ``None`` and the ``reason`` for not knowing.

    ``is_by_budget`` says that the budget ends the campaign's run before all is done.
    """

    ends_at: float | None
    reason: str = ""
    is_by_budget: bool = False


def forecast(
    report: CampaignReport,
    memory: Memory,
    now: float,
    *,
    remaining: int | None = None,
    verify: float | None = None,
    concurrency: int = DEFAULT_CONCURRENCY,
    requests_per_minute: float = math.inf,
    affordable: int | None = None,
) -> Forecast:
    """Return when ``remaining`` items (all that wait, if not given) will be settled.

    With second opinions: on the share ``verify`` of all pairs, or on those that already wait for
    one, if not given. Takes latency, tokens and requests an item from what the campaign has seen.
    ``requests_per_minute`` is what the run lets go at most, whatever the quotas, and
    ``affordable`` how many requests the budget still allows. It runs a loop of
    its own, so a running one leaves it to a thread.
    """
    items = report.progress.pending if remaining is None else remaining
    opinions = opinions_left(report, items, verify)
    if items + opinions == 0:
        return Forecast(now)
    if held := report.batches.requests_held:
        are = "1 image is" if held == 1 else f"{held:,} images are"
        return Forecast(None, f"{are} in batch jobs, which take up to days")
    serving = _Serving(report, memory, now)
    if not serving.keys:
        return Forecast(None, _nobody_serves(report))
    load = Load(
        requests=math.ceil(items * tries_an_item(report)) + opinions,
        tokens=_tokens(report, memory),
        latency_s=memory.load.latency_s or FIRST_LATENCY_S,
        concurrency=concurrency,
        canaries=report.campaign.canaries,
        asked_today=_asked_again(report, quota_date(now)),
    )
    is_by_budget = affordable is not None and affordable < load.requests
    if affordable is not None and is_by_budget:
        load = replace(load, requests=affordable)
    try:
        ends_at = asyncio.run(_ends_at(serving, load)) if load.requests else now
    except InputError as error:
        return Forecast(None, str(error))
    at_this_rate = now + load.requests * MINUTE_S / requests_per_minute
    return Forecast(max(ends_at, at_this_rate), is_by_budget=is_by_budget)


def _asked_again(report: CampaignReport, today: str) -> set[str]:
    """Return the models whose canaries were asked today, in whatever way."""
    days = [day for day in report.canary_days if day.day == today]
    return {name for name in report.campaign.model_names if any(day.is_of(name) for day in days)}


def still_true(last: Forecast, report: CampaignReport) -> Forecast:
    """Return ``last`` unless all keys have left since it was made."""
    if not report.progress.pending or any(not key.removed_because for key in report.keys):
        return last
    return Forecast(None, _nobody_serves(report))


def _nobody_serves(report: CampaignReport) -> str:
    reasons = list(dict.fromkeys(key.removed_because for key in report.keys))
    why = reasons[0] if len(reasons) == 1 else "each for its own reason"
    return f"no key is left that can serve ({why})" if reasons else "no key is left that can serve"


def tries_an_item(report: CampaignReport) -> float:
    """Return the requests that an item took so far, those over a quota left out."""
    settled = report.progress.done + report.progress.dead
    counted = ("answered", "unusable", "unavailable", "unanswered", "bad_request", "shed")
    opinions = report.opinions.chosen - report.opinions.waiting
    again = opinions + report.canary_requests
    requests = sum(report.outcomes.get(name, 0) for name in counted) - again
    return min(MOST_TRIES, max(1.0, requests / settled)) if settled else 1.0


def opinions_left(report: CampaignReport, items: int, verify: float | None) -> int:
    """Return the second opinions still to be asked for, those on pairs of ``items`` included."""
    if verify is None:
        return report.opinions.waiting
    done = report.progress.done
    an_item = report.pairs / done if done else report.campaign.questions
    asked = report.opinions.chosen - report.opinions.waiting
    return max(0, round(verify * (report.pairs + items * an_item)) - asked)


def _tokens(report: CampaignReport, memory: Memory) -> dict[str, int]:
    """Return the input tokens of a request by model: as seen, or as other models show."""
    seen = memory.load.input_tokens
    others = max(seen.values(), default=FIRST_TOKENS)
    return {name: round(seen.get(name, others)) for name in report.campaign.model_names}


class _Serving:
    """The keys and models that serve, and what is left of their quotas."""

    def __init__(self, report: CampaignReport, memory: Memory, now: float) -> None:
        reports = [key for key in report.keys if not key.removed_because]
        # The simulation sends nothing, so the fingerprint stands for the secret.
        self.keys = [Key(key.label, key.project, key.fingerprint, key.stated) for key in reports]
        self.models = report.campaign.models
        self.memory = memory
        self.now = now
        uses = {Meter(key.project, use.model): use for key in reports for use in key.uses}
        self.closed = frozenset(meter for meter, use in uses.items() if use.refused_because)
        self._limits = {
            meter: math.inf if use.quota.rpd is None else use.quota.rpd
            for meter, use in uses.items()
            if meter not in self.closed
        }

    @property
    def a_day(self) -> float:
        """Return the requests that all projects allow a day, for all models together."""
        return sum(self._limits.values())

    @property
    def left_today(self) -> float:
        """Return how many of today's requests are left, ``SIMULATED`` where no limit is known."""
        if math.isinf(self.a_day):
            return SIMULATED
        records, use = self.memory.records, self.memory.use
        midnight = next_day(self.now)
        return sum(
            max(0, limit - (use[meter].today if meter in use else 0))
            for meter, limit in self._limits.items()
            if meter not in records or records[meter].blocked_until < midnight
        )

    async def course(self, load: Load) -> Course:
        """Return the course of what is asked from now on."""
        use, records = self.memory.use, self.memory.records
        return await self._simulated(load, use=use, records=records)

    async def fresh_course(self, load: Load) -> Course:
        """Return the same with quotas of which nothing is used yet."""
        return await self._simulated(load, use=UNUSED, records=UNUSED)

    async def _simulated(
        self,
        load: Load,
        use: Mapping[Meter, ProjectUse],
        records: Mapping[Meter, ProjectRecord],
    ) -> Course:
        return await simulate(
            self.keys,
            self.models,
            load,
            self.now,
            use=use,
            records=records,
            closed=self.closed,
        )


async def _ends_at(serving: _Serving, load: Load) -> float:
    now, a_day = serving.now, serving.a_day
    if load.requests <= SIMULATED or a_day <= SMALL_DAY:
        # Days that repeat are counted at once, so that small ones may be simulated to the end.
        return (await serving.course(load)).ends_at
    begun, today = replace(load, requests=SIMULATED), serving.left_today
    is_enough = today >= SIMULATED
    course = await (serving.course(begun) if is_enough else serving.fresh_course(begun))
    rate = SIMULATED / max(1e-3, course.ends_at - now)
    today = min(today, rate * (next_day(now) - now))
    if math.isinf(a_day) or load.requests <= today:
        return now + load.requests / rate
    asked_again = load.canaries * len(serving.models)
    left, full_day = load.requests - today, min(a_day, rate * DAY_S) - asked_again
    if full_day <= 0:
        raise InputError("canaries take all quota of a day; give fewer with --canary")
    days = math.ceil(left / full_day) - 1
    # Half a day on, because a day of that span may have had 23 or 25 hours.
    return day_start(next_day(now) + (days + 0.5) * DAY_S) + (left - days * full_day) / rate


async def kept_up_to_date(
    update: Callable[[], Awaitable[float | None]], changed: asyncio.Event, wall: Clock
) -> None:
    """Await ``update`` for ever: soon after the start, then ever more rarely.

    ``update`` returns the seconds until the end, which is looked at more often as it comes near;
    ``changed`` is set when a key's state has changed, which makes it be looked at again. What takes
    long is looked at rarely: after ``COST_SHARE`` times as long, or a minute.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        changed.clear()
        started = stopwatch()
        left_s = await update()
        near_s = math.inf if left_s is None else max(FIRST_PAUSE_S, left_s / 10)
        # The first ones know little and are soon replaced, whatever they cost.
        least_s = max(FIRST_PAUSE_S, min(pause_s, COST_SHARE * (stopwatch() - started)))
        await wall.sleep(least_s)
        await _sleep_unless(changed, min(pause_s, near_s) - least_s, wall)
        pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)


async def _sleep_unless(changed: asyncio.Event, seconds: float, wall: Clock) -> None:
    waits = [asyncio.ensure_future(wall.sleep(seconds)), asyncio.ensure_future(changed.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
