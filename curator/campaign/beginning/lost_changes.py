"""What a run's log knows and its ledger does not: paid replies are taken from there."""

from __future__ import annotations

from curator.campaign.beginning.inputs import RunPlan
from curator.ledger import Ledger
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress

log = EventLog(__name__)


async def take_in_lost_changes(
    plan: RunPlan, ledger: Ledger, campaign_id: int, clock: Clock
) -> None:
    """Add the replies that the log has and the ledger has not, and judge them.

    Raises:
        LedgerFailure: the ledger cannot be written.
    """
    items = await ledger.take_in_from_log(campaign_id)
    if not items:
        return
    # It imports what reads page by page, and hardly any run has lost anything.
    from curator.pairs.reparse import Rules, reparse  # noqa: PLC0415

    log.warning(
        "replies_taken_from_log",
        replies=len(items),
        why="the ledger is older than its log: its newest changes (-wal) are gone, or it is a copy",
    )
    rules = Rules(plan.prompts, plan.listing_map)
    with report_progress("judging replies", None) as progress:
        await reparse(ledger, campaign_id, rules, clock.now(), progress, only=items)
