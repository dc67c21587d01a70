"""What batch jobs hold: nobody else is to ask about it, until its result is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from curator.ledger.database.coding import listing_of, views_in
from curator.ledger.records.batches import HeldRequest
from curator.ledger.records.requests import Attempt
from curator.ledger.records.work import PairItem, View, WorkItem, WorkState
from shared.endpoints.models.asked_settings import AskedSettings
from shared.endpoints.models.tier import Tier
from shared.endpoints.request import Measure

IMAGE_IS_HELD: Final = """EXISTS (
  SELECT 1 FROM batch_requests AS held WHERE held.campaign_id = work.campaign_id
    AND held.item_id = work.item_id AND held.question IS NULL
)"""
"""Whether a job holds the image of a row of ``work``."""
_HELD: Final = """
SELECT items.*, held.own_id, campaigns.questions, attempts.id AS attempt_id, attempts.campaign_id,
  attempts.item_id, attempts.key_fingerprint, attempts.project, attempts.model,
  attempts.started_at, attempts.reserved_tokens, attempts.question, attempts.annotator,
  attempts.characters, attempts.longest_px, attempts.views,
  attempts.thinking, attempts.image_detail,
  work.rank, work.state, work.attempts AS failed, second_opinions.state AS pair_state,
  second_opinions.attempts AS pair_failed, pairs.answer, maker.model AS answered_by
FROM batch_requests AS held
JOIN attempts ON attempts.id = held.attempt_id
JOIN campaigns ON campaigns.id = held.campaign_id
JOIN items ON items.id = held.item_id
LEFT JOIN work ON work.campaign_id = held.campaign_id AND work.item_id = held.item_id
LEFT JOIN second_opinions ON second_opinions.campaign_id = held.campaign_id
  AND second_opinions.item_id = held.item_id AND second_opinions.question = held.question
LEFT JOIN pairs ON pairs.campaign_id = held.campaign_id
  AND pairs.item_id = held.item_id AND pairs.question = held.question
LEFT JOIN attempts AS maker ON maker.id = pairs.attempt_id
WHERE held.job_id = ? ORDER BY held.attempt_id
"""
_PATHS_OF_VIEWS: Final = """
SELECT items.id, items.image_path FROM batch_requests AS held
JOIN attempts ON attempts.id = held.attempt_id AND attempts.views != ''
JOIN json_each('[' || attempts.views || ']') AS each JOIN items ON items.id = each.value
WHERE held.job_id = ?
"""


def held_requests(connection: sqlite3.Connection, job_id: int) -> list[HeldRequest]:
    """Return what a job holds, by attempt."""
    paths = dict(connection.execute(_PATHS_OF_VIEWS, (job_id,)).fetchall())
    return [_held_request(row, paths) for row in connection.execute(_HELD, (job_id,))]


def _held_request(row: sqlite3.Row, paths: Mapping[int, str]) -> HeldRequest:
    is_opinion = row["question"] is not None
    views = tuple(View(item_id, paths[item_id]) for item_id in views_in(row["views"]))
    attempt = Attempt(
        attempt_id=row["attempt_id"],
        campaign_id=row["campaign_id"],
        item_id=row["item_id"],
        key_fingerprint=row["key_fingerprint"],
        project=row["project"],
        model=row["model"],
        started_at=row["started_at"],
        reserved_tokens=row["reserved_tokens"],
        question=row["question"],
        annotator=row["annotator"],
        measure=Measure(
            row["characters"],
            row["longest_px"],
            0 if is_opinion else row["questions"],
            1 + len(views),
        ),
        settings=AskedSettings(row["thinking"], row["image_detail"]),
        tier=Tier.BATCH,
        views=tuple(view.item_id for view in views),
    )
    if is_opinion:
        is_wanted = row["pair_state"] == WorkState.PENDING and row["answer"] is not None
    else:
        is_wanted = row["state"] == WorkState.PENDING
    return HeldRequest(row["own_id"], attempt, _about(row, views), is_wanted)


def _about(row: sqlite3.Row, views: tuple[View, ...]) -> WorkItem | PairItem:
    listing = listing_of(row)
    if row["question"] is None:
        return WorkItem(row["id"], listing, row["failed"] or 0, row["rank"] or 0, views)
    answer, answered_by = row["answer"] or "", row["answered_by"] or ""
    failed, question = row["pair_failed"] or 0, row["question"]
    return PairItem(row["id"], listing, failed, question, answer, answered_by)
