"""``curator status``: how the campaigns of a ledger stand."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curator.commands.options import AsJson, CampaignIds, LedgerFile, ModelsPath
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next

if TYPE_CHECKING:
    from curator.status.status import Standing
    from shared.endpoints.models.known import ModelCatalogue


def status(
    ledger: LedgerFile,
    models: ModelsPath = None,
    campaign: CampaignIds = None,
    as_json: AsJson = False,
) -> None:
    """Show progress, keys, tokens, cost and time left.

    Also what was given up, and why.
    """
    from rich.console import Console

    from curator.campaign.beginning.as_given import catalogue_of
    from curator.ledger import require_ledger
    from curator.review.gathering import review_lines, review_reports, reviews_object
    from curator.status.status import status_object
    from curator.status.telling_apart import told_apart
    from curator.status.view import status_view
    from shared.program.clock import SystemClock

    require_ledger(ledger)
    known_models = catalogue_of(models)
    now = SystemClock().now()
    standings = _standings(ledger, known_models, now)
    # Told apart by all that the ledger holds, whichever are shown.
    names = told_apart([one.report.campaign for one in standings])
    named = dict(zip((one.report.campaign_id for one in standings), names, strict=True))
    standings = _chosen(standings, campaign or (), ledger)
    if as_json:
        told = status_object(standings, now) | {"reviews": reviews_object(review_reports(ledger))}
        json.dump(told, sys.stdout, indent=2)
        print()
    else:
        Console().print(status_view(standings, now, named))
        for campaign_id, line in review_lines(ledger).items():
            print(f"Campaign {campaign_id}, people: {line}")
        if standings:
            _tell_what_comes_next(standings[-1], ledger, now)


def _tell_what_comes_next(latest: Standing, ledger: Path, now: float) -> None:
    from curator.commands.campaign.going_on import going_on
    from curator.ledger.database.opening import is_at_work

    comes_next = going_on(latest, ledger, now, is_at_work=is_at_work(ledger))
    if comes_next.line:
        print(comes_next.line)
    if comes_next.words:
        tell_next(*comes_next.words)


def _chosen(standings: list[Standing], wanted: Sequence[int], ledger: Path) -> list[Standing]:
    known = [standing.report.campaign_id for standing in standings]
    for campaign_id in wanted:
        if campaign_id not in known:
            listed = ", ".join(map(str, known)) or "none"
            raise InputError(f"{ledger}: no campaign {campaign_id}; there are {listed}")
    return [one for one in standings if not wanted or one.report.campaign_id in wanted]


def _standings(path: Path, known_models: ModelCatalogue, now: float) -> list[Standing]:
    from curator.forecast.forecast import forecast
    from curator.ledger import migrate_unless_busy
    from curator.ledger.database.plain import reading
    from curator.ledger.reports.campaigns import campaign_reports
    from curator.ledger.reports.forecasting import memory
    from curator.status.spending import affordable_requests
    from curator.status.status import Standing

    migrate_unless_busy(path)
    with reading(path) as connection:
        reports = campaign_reports(connection, now)
        memories = [memory(connection, report, now) for report in reports]
    return [
        Standing(
            report,
            forecast(report, remembered, now, affordable=affordable_requests(report, known_models)),
            known_models=known_models,
        )
        for report, remembered in zip(reports, memories, strict=True)
    ]
