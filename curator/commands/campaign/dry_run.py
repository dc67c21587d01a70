"""``curator run --dry-run``: what a run would do, checked as it checks it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curator.api import options_of
from curator.campaign.beginning.inputs import plan_run
from curator.commands.campaign.plan import plan
from curator.ledger.database.opening import HEAD, check_version
from curator.ledger.database.plain import reading
from curator.ledger.reports.campaigns import campaign_reports
from shared.program.clock import SystemClock


def say_what_would_be_done(given: Mapping[str, Any]) -> None:
    """Check all that is given as a run does; print what it would do, with a forecast.

    ``given`` are the options of ``curator run``, all of them, by the names of its parameters.

    Raises:
        InputError: one of them cannot be used.
    """
    plan_run(options_of(given))
    ledger = Path(given["ledger"])
    version = check_version(ledger)
    asked = {name: given[name] for name in inspect.signature(plan).parameters if name in given}
    # Of an older release it would be changed by reading it.
    plan(**asked | {"ledger": ledger if version == HEAD else None})
    for line in _ledger_lines(ledger, version):
        print(line)
    if given["budget_usd"] is not None:
        print(f"it would stop before it costs more than {given['budget_usd']:g} US dollars in all")
    print("dry run: nothing was sent or written")


def _ledger_lines(ledger: Path, version: str | None) -> Iterator[str]:
    if version is None:
        yield f"{ledger}: would be made"
        return
    if version != HEAD:
        yield f"{ledger}: of an older release; would be brought up to date first"
        return
    with reading(ledger) as connection:
        reports = campaign_reports(connection, SystemClock().now())
    for report in reports:
        progress = report.progress
        yield (
            f"{ledger}: campaign {report.campaign_id} has {progress.done:,} of "
            f"{progress.total:,} images done; with the same options it goes on with the rest, "
            "which the forecast above does not leave out"
        )
