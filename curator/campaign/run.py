"""Wires one run: opens the ledger, sets the core loop to work, and tells how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Final

from curator.annotators.models_to_ask import names_not_listed
from curator.campaign.beginning.enrolment import enrolled
from curator.campaign.beginning.first_look import looked_at
from curator.campaign.beginning.inputs import RunOptions, RunPlan
from curator.campaign.beginning.intake import import_catalog
from curator.campaign.beginning.open_files import affordable_concurrency
from curator.campaign.budget import Budget
from curator.campaign.canaries.telling import tell_few
from curator.campaign.canaries.turn import CanaryTurn
from curator.campaign.ending import ended, removed_if_unused, report_of, tell_given_up
from curator.campaign.failures.holding import held_by
from curator.campaign.failures.shedding import Shedding
from curator.campaign.item_log import ItemLog
from curator.campaign.loop import Curator
from curator.campaign.model_watch import ModelWatch
from curator.campaign.results import Results
from curator.campaign.turns import items_left, work_in_turns
from curator.forecast.forecast import forecast, kept_up_to_date
from curator.ledger import Ledger, Progress, sole_writer
from curator.status.live import LiveReport
from curator.status.spending import affordable_requests
from curator.status.terminal import shown
from curator.status.words import jobs_under_way
from shared.endpoints.image_encoding import LONGEST_PX
from shared.endpoints.models.asked_settings import NO_SETTINGS, ModelSettings
from shared.endpoints.models.tier import Tier
from shared.endpoints.outage import Outage, patience_s
from shared.endpoints.pool.exhaustion import NoProjectMayUse
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.rate import PlainRate
from shared.endpoints.pool.removals import keys_to_use
from shared.endpoints.protocols.annotator import AskedForm, Connection
from shared.endpoints.token_estimates import TokenEstimates
from shared.errors import AboVqaError, StoppedForNow
from shared.program.async_stopping import AsyncStopSignal, StopRequested, stop_on_signals
from shared.program.clock import Clock, SystemClock
from shared.program.process.background import beside
from shared.program.reporting.clock_watch import ClockWatch
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.events import lines_gathered

AGAIN: Final = "run the same command again to go on"
FLUSH_AFTER_S: Final = 0.05
"""How long a line of the log may wait for others, so that the loop need not stop for each."""


log = EventLog(__name__)


async def run(
    options: RunOptions, plan: RunPlan, clock: Clock, stop: AsyncStopSignal | None = None
) -> Progress:
    """Work on the campaign until it is done, or ``stop`` is requested; return how far it is.

    Raises:
        StoppedForNow: keys exhausted or a signal; the same command goes on.
        InputError: an input turned out unusable.
        OnlyDeadLetters: all that it settled was given up.
        LedgerFailure: the ledger cannot be written any more.
    """
    stop, told = stop or AsyncStopSignal(), ""
    with (
        _nearest_told(options, plan),
        stop_on_signals(stop, "curator", on_first=_tell_stopping),
        sole_writer(options.ledger) as held,
        removed_if_unused(options.ledger),
    ):
        held.migrate()
        await _require_page(plan)
        async with Ledger.opened(options.ledger) as ledger:
            removed = {} if options.retry_keys else await ledger.removed_keys()
            plan = replace(plan, removed=removed, serving=keys_to_use(plan.keys, removed))
            with contextlib.suppress(StopRequested):
                imported = await import_catalog(plan.catalog, ledger, stop, clock)
                campaign_id = await enrolled(options, plan, ledger, stop, imported, clock=clock)
                plan = await looked_at(options, plan, ledger, stop, clock)
                before = await ledger.progress(campaign_id)
                try:
                    with lines_gathered(_soon(asyncio.get_running_loop())):
                        await _work(options, plan, ledger, campaign_id, stop=stop, clock=clock)
                except AboVqaError:
                    await tell_given_up(ledger, campaign_id, clock)
                    raise
                if not stop.requested:
                    return await ended(ledger, campaign_id, before, clock)
                await tell_given_up(ledger, campaign_id, clock)
                told = jobs_under_way(await ledger.batches.counts(campaign_id))
    raise StoppedForNow("; ".join(filter(None, [stop.reason, told, AGAIN])))


def _soon(loop: asyncio.AbstractEventLoop) -> Callable[[Callable[[], None]], object]:
    """Return what calls a function soon, from any thread."""
    return lambda flush: loop.call_soon_threadsafe(loop.call_later, FLUSH_AFTER_S, flush)


def _tell_stopping() -> None:
    log.warning("finishing_what_is_in_flight", again="a second signal ends the run at once")


@contextmanager
def _nearest_told(options: RunOptions, plan: RunPlan) -> Iterator[None]:
    """Name the known models that look like those which no key may use."""
    try:
        yield
    except NoProjectMayUse as end:
        told = names_not_listed(options.annotator, plan.models, options.known_models)
        near = dict.fromkeys(name for nearest in told.values() for name in nearest)
        if not near:
            raise
        raise NoProjectMayUse(f"{end}; the nearest known: {', '.join(near)}") from None


async def _work(
    options: RunOptions,
    plan: RunPlan,
    ledger: Ledger,
    campaign_id: int,
    *,
    stop: AsyncStopSignal,
    clock: Clock,
) -> None:
    options = replace(options, concurrency=affordable_concurrency(options.concurrency))
    # What a run of batch jobs asks besides them, it asks at once.
    at_once = Tier.STANDARD if options.tier is Tier.BATCH else options.tier
    left = items_left(options, await ledger.progress(campaign_id))
    pool = await _pool(options, plan, ledger, stop, clock)
    live = await _live_report(options, ledger, campaign_id, pool=pool, left=left, clock=clock)
    connection = Connection(
        options.base_url,
        options.timeout_s,
        options.concurrency,
        await _forms(options, plan, ledger, clock),
        await _settings(options, plan, ledger, clock),
        at_once,
        plan.mask,
    )
    async with (
        beside(_keep_forecast(live, ledger, options, clock), "forecast"),
        _status_page(plan, live, ledger, clock),
        shown(lambda: (live.standing(now := clock.now()), now), SystemClock()),
        options.annotator.protocol.connected(connection) as annotator,
    ):
        model_watch = ModelWatch(options.known_models, clock)
        model_watch.begin(plan, live.report(clock.now()))
        tell_few(options.canary)
        item_log = ItemLog(plan.prompts)
        estimates = await _estimates(options, ledger, connection.settings)
        budget = Budget(options.budget, plan.models, options.known_models, estimates, at_once)
        lost = await ledger.lost_requests(campaign_id)
        largest = plan.prompts.largest_measure(LONGEST_PX)
        budget.count_before(live.report(clock.now()), lost, largest)
        results = Results(campaign_id, ledger, clock, live, item_log, model_watch, stop)
        canaries = CanaryTurn(
            options.canary,
            campaign_id,
            ledger,
            models=plan.models,
            settings=options.settings,
            live=live,
            clock=clock,
            stop=stop,
        )
        curator = Curator(
            campaign_id=campaign_id,
            models=plan.models,
            service=options.annotator,
            prompts=plan.prompts,
            listing_map=plan.listing_map,
            images_dir=plan.catalog.images_dir,
            ledger=ledger,
            pool=pool,
            annotator=annotator,
            clock=clock,
            stop=stop,
            live=live,
            rng=random.Random(),
            results=results,
            outage=Outage(patience_s(options.on_exhausted)),
            shedding=Shedding(options.tier, patience_s(options.on_exhausted)),
            holding=await held_by(results, plan.catalog.images_dir),
            estimates=estimates,
            budget=budget,
            canaries=canaries,
            concurrency=options.concurrency,
            wanted=options.fitness,
            tier=at_once,
        )
        await work_in_turns(options, plan, curator, connection)


async def _estimates(
    options: RunOptions, ledger: Ledger, of_models: Mapping[str, ModelSettings]
) -> TokenEstimates:
    estimates = TokenEstimates(options.known_models.tile, options.settings, of_models)
    estimates.learn(await ledger.counted_replies())
    return estimates


async def _live_report(
    options: RunOptions,
    ledger: Ledger,
    campaign_id: int,
    *,
    pool: KeyPool,
    left: int | None,
    clock: Clock,
) -> LiveReport:
    now = clock.now()
    before = await report_of(ledger, campaign_id, clock)
    settled = before.progress.done + before.progress.dead
    goal = None if left is None or left == before.progress.pending else settled + left
    history = await ledger.history(campaign_id, now)
    return LiveReport(
        before, history, pool=pool, now=now, goal=goal, known_models=options.known_models
    )


async def _keep_forecast(
    live: LiveReport, ledger: Ledger, options: RunOptions, clock: Clock
) -> None:
    clock_watch = ClockWatch(clock)

    async def update() -> float | None:
        clock_watch.look()
        now = clock.now()
        report = live.report(now)
        live.forecast = await asyncio.to_thread(
            forecast,
            report,
            await ledger.memory(report, now),
            now,
            remaining=live.remaining,
            verify=options.verify,
            concurrency=options.concurrency,
            requests_per_minute=options.requests_per_minute or math.inf,
            affordable=affordable_requests(report, options.known_models),
        )
        ends_at = live.forecast.ends_at
        return None if ends_at is None else ends_at - now

    await kept_up_to_date(update, live.keys_changed, SystemClock())


async def _pool(
    options: RunOptions, plan: RunPlan, ledger: Ledger, stop: AsyncStopSignal, clock: Clock
) -> KeyPool:
    now = clock.now()
    models = plan.campaign.model_names
    return KeyPool(
        plan.serving,
        plan.campaign.models,
        clock=clock,
        stop=stop,
        on_exhausted=options.on_exhausted,
        rng=random.Random(),
        untried=plan.serving,
        use=await ledger.project_use(models, now),
        records=await ledger.project_records(models),
        closed=plan.closed,
        rate=PlainRate(options.requests_per_minute) if options.requests_per_minute else None,
    )


async def _forms(
    options: RunOptions, plan: RunPlan, ledger: Ledger, clock: Clock
) -> dict[str, AskedForm]:
    """Return the forms that models are known to take: by the catalogue, and by what they said."""
    listed = options.annotator.protocol.has_listed_models
    plain = [model.name for model in plan.models if listed and not model.takes_json_mode]
    told = await ledger.model_forms(options.annotator.value, clock.now())
    forms = {form.value: form for form in AskedForm}
    return dict.fromkeys(plain, AskedForm.PLAIN) | {
        model: forms[form] for model, form in told.items() if form in forms
    }


async def _settings(
    options: RunOptions, plan: RunPlan, ledger: Ledger, clock: Clock
) -> dict[str, ModelSettings]:
    """Return what models are told of how to think and to look, but for what they refused."""
    told = await ledger.left_out_settings(options.annotator.value, clock.now())
    settings = dict(plan.settings)
    for model, left_out in ((model, each) for model, some in told.items() for each in some):
        asked = settings.get(model, NO_SETTINGS)
        if (without := asked.without(left_out)) != asked:
            settings[model] = without
            log.warning(
                "model_takes_no_such_setting",
                model=model,
                left_out=left_out,
                why="it refused in a run before",
                goes_on="as the model chooses",
            )
    return settings


async def _require_page(plan: RunPlan) -> None:
    """Check that the status page can be served, before the catalogue is read."""
    if plan.address is None:
        return
    from shared.web.listening import require_free_address  # noqa: PLC0415 - as below

    await require_free_address(plan.address, "--status")


@asynccontextmanager
async def _status_page(
    plan: RunPlan, live: LiveReport, ledger: Ledger, clock: Clock
) -> AsyncIterator[None]:
    if plan.address is None:
        yield
        return
    # aiohttp's server and the metrics take a tenth of a second, and most runs have no page.
    from curator.status.page import Watched, served  # noqa: PLC0415

    async with served(plan.address, Watched(live, ledger, plan.catalog.images_dir, clock)) as where:
        log.info("status_page", url=where.url)
        yield
