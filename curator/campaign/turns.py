"""The turns of a run: what jobs brought, images, second opinions, canaries, what was added."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from curator.annotators.batch.extra import require_batch_sdk
from curator.campaign.beginning.inputs import RunOptions, RunPlan
from curator.campaign.beginning.intake import next_look
from curator.campaign.beginning.looks import ask_once_per_look
from curator.campaign.loop import Curator
from curator.campaign.waiting.jobs import Job
from curator.campaign.waiting.queue import Queue, waiting_items, waiting_pairs
from curator.ledger import Progress
from curator.status.words import jobs_under_way
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import Connection
from shared.errors import StoppedForNow
from shared.program.reporting.event_log import EventLog

if TYPE_CHECKING:
    from curator.campaign.batch.running import Batches

log = EventLog(__name__)


class JobsUnderWay(StoppedForNow):
    """All else is done, and batch jobs of an earlier run still hold images."""


async def work_in_turns(
    options: RunOptions, plan: RunPlan, curator: Curator, connection: Connection
) -> None:
    """Fetch what batch jobs brought; ask all that waits, once or for as long as it is watched.

    Raises:
        JobsUnderWay: all else is done.
        AboVqaError: what ends a run; see ``Curator.run``.
    """
    async with _batches(options, plan, curator, connection) as batches:
        await _take_turns(options, plan, curator, batches)


async def _take_turns(
    options: RunOptions, plan: RunPlan, curator: Curator, batches: Batches | None
) -> None:
    """Ask for questions, then for second opinions, and where it is watched look for more."""
    ledger, campaign_id = curator.ledger, curator.campaign_id
    if batches is not None:
        await batches.fetch()
    while not curator.stop.requested:
        await _ask_all(options, curator, batches)
        while not curator.stop.requested and await _returned_views(curator):
            await _ask_all(options, curator, batches)
        if options.verify > 0 and not curator.stop.requested:
            curator.live.chosen(await ledger.choose_pairs(campaign_id, options.verify))
            await _ask_opinions(options, curator, batches)
        if options.canary and not curator.stop.requested:
            await curator.ask_canaries()
        left = await _images_left(options, curator)
        if not options.watch or left == 0 or curator.stop.requested:
            break
        await _look_again(options, plan, curator)
    if batches is not None and not curator.stop.requested:
        await batches.fetch()
        if (counts := curator.live.batches).requests_held:
            raise JobsUnderWay(f"{jobs_under_way(counts)}: run the same command again")


async def _ask_all(options: RunOptions, curator: Curator, batches: Batches | None) -> None:
    ledger, campaign_id = curator.ledger, curator.campaign_id
    left = partial(_images_left, options, curator)

    async def pages() -> AsyncIterator[list[Job]]:
        first = await curator.canaries.first()
        async for page in waiting_items(ledger, campaign_id, first):
            yield page

    if batches is not None and options.tier is Tier.BATCH:
        await batches.run(pages, left)
        return
    images = await left()
    workers = options.concurrency if images is None else min(options.concurrency, images)
    await curator.run(Queue(pages(), images), max(1, workers))


async def _returned_views(curator: Curator) -> int:
    """Let views wait again whose first picture was given up; return how many requests more."""
    if curator.prompts.views == 1:
        return 0
    ledger, campaign_id = curator.ledger, curator.campaign_id
    before = (await ledger.progress(campaign_id)).total
    await ledger.send_along(campaign_id, curator.prompts.views)
    more = (await ledger.progress(campaign_id)).total - before
    curator.live.enrolled(more)
    more, curator.results.views_returned = more + curator.results.views_returned, 0
    return more


async def _ask_opinions(options: RunOptions, curator: Curator, batches: Batches | None) -> None:
    pages = partial(waiting_pairs, curator.ledger, curator.campaign_id)
    if batches is not None and options.tier is Tier.BATCH:
        await batches.run(pages, _no_limit)
    else:
        await curator.run(Queue(pages()), options.concurrency)


async def _no_limit() -> None:
    return None


async def _images_left(options: RunOptions, curator: Curator) -> int | None:
    """Return how many images this run may still ask about, besides those that jobs hold."""
    left = items_left(options, await curator.ledger.progress(curator.campaign_id))
    held = (await curator.ledger.batches.counts(curator.campaign_id)).requests_held
    return None if left is None else max(0, left - held)


@asynccontextmanager
async def _batches(
    options: RunOptions, plan: RunPlan, curator: Curator, connection: Connection
) -> AsyncIterator[Batches | None]:
    """Yield the batch jobs of a run; ``None`` where it makes none and none of before is there."""
    jobs = await curator.ledger.batches.unsettled(curator.campaign_id)
    if options.tier is not Tier.BATCH and not jobs:
        yield None
        return
    if Tier.BATCH not in options.annotator.protocol.tiers:
        log.warning("batch_jobs_left_alone", jobs=len(jobs), way_out="--service gemini")
        yield None
        return
    require_batch_sdk()
    # The SDK takes two seconds, and most runs make no jobs.
    from curator.campaign.batch.running import Batches  # noqa: PLC0415

    async with Batches.opened(curator, connection, plan.keys, options.on_exhausted) as batches:
        yield batches


def items_left(options: RunOptions, before: Progress) -> int | None:
    """Return how many items this run may settle; ``None`` where only a signal ends it."""
    if options.limit is None:
        return None if options.watch else before.pending
    wanted = options.limit if options.watch else min(options.limit, before.total)
    return max(0, wanted - before.done - before.dead)


async def _look_again(options: RunOptions, plan: RunPlan, curator: Curator) -> None:
    ledger, clock = curator.ledger, curator.clock
    added = await next_look(plan.catalog, ledger, curator.stop, clock)
    if added:
        before = await ledger.progress(curator.campaign_id)
        await ledger.enrol(plan.campaign, clock.now())
        if options.once_per_look:
            images_dir, campaign_id = plan.catalog.images_dir, curator.campaign_id
            await ledger.send_back(campaign_id)
            await ask_once_per_look(images_dir, ledger, campaign_id, curator.stop)
        if plan.prompts.views > 1:
            await ledger.send_along(curator.campaign_id, plan.prompts.views)
        after = await ledger.progress(curator.campaign_id)
        curator.live.enrolled(after.total - before.total)
