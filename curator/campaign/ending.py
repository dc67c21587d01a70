"""How a run ends: what it gave up, and whether that is all it did."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curator.ledger import CampaignReport, Ledger, LedgerFailure, Progress
from curator.ledger.database.identity import LOCK, LOG, beside
from curator.ledger.database.opening import check_version
from curator.ledger.database.plain import reading
from curator.ledger.reports.campaigns import last_attempt_id
from curator.status.words import given_up_line, unfit_line
from shared.errors import AboVqaError, InputError
from shared.program.clock import Clock


class OnlyDeadLetters(AboVqaError):
    """A run settled images, and gave up each of them."""


async def ended(ledger: Ledger, campaign_id: int, before: Progress, clock: Clock) -> Progress:
    """Return how far the campaign is now that the run is over.

    Raises:
        OnlyDeadLetters: all that it settled was given up.
    """
    progress = await ledger.progress(campaign_id)
    gave_up_alone = progress.dead > before.dead and progress.done == before.done
    if progress.dead and (gave_up_alone or not progress.done):
        report = await report_of(ledger, campaign_id, clock)
        raise OnlyDeadLetters(f"no image was done; {given_up_line(report)}")
    await tell_given_up(ledger, campaign_id, clock)
    return progress


async def tell_given_up(ledger: Ledger, campaign_id: int, clock: Clock) -> None:
    """Tell how many images a campaign gave up or left out, why, and how they come back."""
    with contextlib.suppress(LedgerFailure):
        report = await report_of(ledger, campaign_id, clock)
        lines = [given_up_line(report)] if report.given_up else []
        for line in [*lines, *([unfit_line(report)] if report.unfit else [])]:
            print(f"curator: {line}", file=sys.stderr, flush=True)


async def report_of(ledger: Ledger, campaign_id: int, clock: Clock) -> CampaignReport:
    """Return the report of one campaign."""
    reports = await ledger.reports(clock.now())
    return next(report for report in reports if report.campaign_id == campaign_id)


@contextmanager
def removed_if_unused(ledger: Path) -> Iterator[None]:
    """Remove a ledger that this run made if bad input ends it before its first request."""
    is_new = check_version(ledger) is None
    log_file = beside(ledger, LOG)
    had_log = log_file.exists()
    try:
        yield
    except InputError:
        if is_new and not _was_asked(ledger):
            for suffix in ("", "-wal", "-shm", LOCK):
                beside(ledger, suffix).unlink(missing_ok=True)
            if not had_log:
                log_file.unlink(missing_ok=True)
        raise


def _was_asked(ledger: Path) -> bool:
    if check_version(ledger) is None:
        return False
    with reading(ledger) as connection:
        return last_attempt_id(connection) > 0
