"""The reports on what people found out, of all campaigns of a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curator.ledger.database.plain import reading
from curator.ledger.records.review import SeenPair
from curator.ledger.reviews.browsing import facets
from curator.ledger.reviews.gathered import judged_pairs
from curator.review.report import review_report, review_summary
from curator.review.report_view import report_line


def review_reports(path: Path) -> dict[int, dict[str, Any]]:
    """Return the report on each campaign of the ledger at ``path`` that has pairs, oldest first.

    Raises:
        LedgerFailure: it cannot be read.
    """
    with reading(path) as connection:
        return reports_in(connection)


def reports_in(connection: sqlite3.Connection) -> dict[int, dict[str, Any]]:
    """Return the same, of one moment."""
    return {
        campaign.campaign_id: review_report(judged_pairs(connection, campaign.campaign_id))
        for campaign in facets(connection)
        if campaign.pairs
    }


def review_lines(path: Path) -> dict[int, str]:
    """Return a line on each campaign of which people judged pairs.

    Raises:
        LedgerFailure: it cannot be read.
    """
    with reading(path) as connection:
        lines = {
            campaign.campaign_id: report_line(
                review_summary(judged_pairs(connection, campaign.campaign_id))
            )
            for campaign in facets(connection)
        }
    return {campaign_id: line for campaign_id, line in lines.items() if line}


def summary_object(campaign_id: int, pairs: Sequence[SeenPair]) -> dict[str, Any]:
    """Return what is known of a campaign's judged pairs, in few figures and in words."""
    summary = review_summary(pairs)
    return {"campaign": campaign_id, **summary, "in_words": report_line(summary)}


def reviews_object(reports: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the reports as one list, each with its campaign."""
    return [{"campaign": campaign_id, **report} for campaign_id, report in reports.items()]
