"""The turns of a run: images, then second opinions, then what was added; canaries each day."""

from __future__ import annotations

from curator.campaign.beginning.inputs import RunOptions, RunPlan
from curator.campaign.beginning.intake import next_look
from curator.campaign.loop import Curator
from curator.campaign.queue import Queue, waiting_items, waiting_pairs
from curator.ledger import Progress


async def work_in_turns(options: RunOptions, plan: RunPlan, curator: Curator) -> None:
    """Ask for questions, then for second opinions, and where it is watched look for more."""
    ledger, campaign_id = curator.ledger, curator.campaign_id
    while True:
        left = items_left(options, await ledger.progress(campaign_id))
        workers = options.concurrency if left is None else min(options.concurrency, left)
        first = await curator.canaries.first()
        await curator.run(Queue(waiting_items(ledger, campaign_id, first), left), max(1, workers))
        if options.verify > 0 and not curator.stop.requested:
            curator.live.chosen(await ledger.choose_pairs(campaign_id, options.verify))
            await curator.run(Queue(waiting_pairs(ledger, campaign_id)), options.concurrency)
        if options.canary and not curator.stop.requested:
            await curator.ask_canaries()
        is_over = left is not None and not items_left(options, await ledger.progress(campaign_id))
        if not options.watch or is_over or curator.stop.requested:
            return
        await _look_again(plan, curator)


def items_left(options: RunOptions, before: Progress) -> int | None:
    """Return how many items this run may settle; ``None`` where only a signal ends it."""
    if options.limit is None:
        return None if options.watch else before.pending
    wanted = options.limit if options.watch else min(options.limit, before.total)
    return max(0, wanted - before.done - before.dead)


async def _look_again(plan: RunPlan, curator: Curator) -> None:
    ledger, clock = curator.ledger, curator.clock
    added = await next_look(plan.catalog, ledger, curator.stop, clock)
    if added:
        await ledger.enrol(plan.campaign, clock.now())
        curator.live.enrolled(added)
