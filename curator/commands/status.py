"""``curator status``: how the campaigns of a ledger stand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from curator.commands.options import AsJson, LedgerFile, ModelsPath, catalogue_of
from curator.forecast.forecast import forecast
from curator.ledger import migrate_unless_busy, require_ledger
from curator.ledger.database.plain import reading
from curator.ledger.reports.campaigns import campaign_reports
from curator.ledger.reports.forecasting import memory
from curator.models.known import ModelCatalogue
from curator.review.gathering import review_reports, reviews_object
from curator.review.report_view import report_line
from curator.status.spending import affordable_requests
from curator.status.status import Standing, status_object
from curator.status.view import status_view
from shared.program.clock import SystemClock


def status(ledger: LedgerFile, models: ModelsPath = None, as_json: AsJson = False) -> None:
    """Show progress, keys, tokens, cost and time left.

    Also what was given up, and why.
    """
    require_ledger(ledger)
    known_models = catalogue_of(models)
    now = SystemClock().now()
    standings = _standings(ledger, known_models, now)
    reviews = review_reports(ledger)
    if as_json:
        told = status_object(standings, now) | {"reviews": reviews_object(reviews)}
        json.dump(told, sys.stdout, indent=2)
        print()
    else:
        Console().print(status_view(standings, now))
        for campaign_id, report in reviews.items():
            if line := report_line(report):
                print(f"Campaign {campaign_id}, people: {line}")


def _standings(path: Path, known_models: ModelCatalogue, now: float) -> list[Standing]:
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
