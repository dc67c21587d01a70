"""Takes the images of a catalogue into a campaign's queue, and says what is new of it."""

from __future__ import annotations

from curator.annotators.models_to_ask import warn_of_unlisted
from curator.campaign.beginning.inputs import RunOptions, RunPlan
from curator.campaign.beginning.looks import ask_once_per_look
from curator.campaign.beginning.lost_changes import take_in_lost_changes
from curator.campaign.beginning.new_campaign import agree_to_new
from curator.campaign.item_log import log_campaign
from curator.ledger import Ledger
from curator.ledger.database.identity import LOG, beside
from curator.ledger.database.place import network_of
from shared.endpoints.pool.removals import tell_removed
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.events import set_up_events

log = EventLog(__name__)


async def enrolled(
    options: RunOptions,
    plan: RunPlan,
    ledger: Ledger,
    stop: AsyncStopSignal,
    imported: dict[str, object],
    *,
    clock: Clock,
) -> int:
    """Start the log and bring the ledger up to date with the options; return the campaign's id.

    Raises:
        InputError: whoever was asked wants no new campaign.
        StopRequested: the run is to stop.
        LedgerFailure: the ledger cannot be written.
    """
    set_up_events(
        mask=plan.mask,
        json_file=beside(options.ledger, LOG),
        file_only=("curator.items", "shared.endpoints.pool.pool"),
    )
    if network := network_of(options.ledger):
        log.warning(
            "ledger_on_a_network",
            file_system=network,
            why="SQLite's WAL is not safe there: another host must neither read nor write it",
            way_out="keep it on a disk of this machine",
        )
    log.info("catalogue_read", path=str(options.catalog), **imported)
    await agree_to_new(plan.campaign, ledger, stop, is_agreed=options.yes)
    campaign_id = await ledger.enrol(plan.campaign, clock.now(), options.shuffle)
    log_campaign(campaign_id, plan.campaign)
    if requests := await ledger.bring_back(clock.now()):
        log.warning(
            "clock_was_ahead",
            requests=requests,
            why="by the machine's clock, they were sent in the future",
            became="they count as sent now, and the keys' rests as begun now",
        )
    await ledger.remember_keys(plan.serving, clock.now())
    await take_in_lost_changes(plan, ledger, campaign_id, clock)
    tell_removed(plan.keys, plan.removed)
    warn_of_unlisted(options.annotator, plan.models, options.known_models)
    if options.retry_dead:
        log.info("dead_letters_returned", count=await ledger.retry_dead(campaign_id))
    await ledger.send_back(campaign_id)
    if options.once_per_look:
        await ask_once_per_look(plan.catalog.images_dir, ledger, campaign_id, stop)
    else:
        await ledger.set_aside(campaign_id, {})
    if plan.prompts.views > 1:
        await ledger.send_along(campaign_id, plan.prompts.views)
    return campaign_id
