"""What ``curator status`` asks the ledger: counts by state, outcome, rule and key."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger import tables
from curator.ledger.records import (
    Campaign,
    CampaignReport,
    DeadLetter,
    KeyReport,
    Outcome,
    Progress,
    ProjectRecord,
    TokenUse,
    WorkState,
)
from curator.quota import Quota, Window

RECENT_S: Final = 300.0
"""Span over which the rate is taken."""
DEAD_LETTERS: Final = 20
"""How many of the latest are listed."""


async def progress(connection: AsyncConnection, campaign_id: int) -> Progress:
    """Return how far a campaign is."""
    work = tables.work
    counts = await _counts(
        connection,
        select(work.c.state, func.count())
        .where(work.c.campaign_id == campaign_id)
        .group_by(work.c.state),
    )
    return Progress(
        pending=counts.get(WorkState.PENDING, 0),
        done=counts.get(WorkState.DONE, 0),
        dead=counts.get(WorkState.DEAD, 0),
    )


async def campaign_reports(connection: AsyncConnection, now: float) -> list[CampaignReport]:
    """Return a report of each campaign, oldest first."""
    rows = (await connection.execute(select(tables.campaigns).order_by("id"))).all()
    return [
        await _report(
            connection, row.id, Campaign(row.model, row.prompt_version, row.questions), now
        )
        for row in rows
    ]


async def _report(
    connection: AsyncConnection, campaign_id: int, campaign: Campaign, now: float
) -> CampaignReport:
    attempts, rejected = tables.attempts, tables.rejected_pairs
    mine = attempts.c.campaign_id == campaign_id
    spent = (
        await connection.execute(
            select(
                func.total(attempts.c.input_tokens),
                func.total(attempts.c.output_tokens),
                func.total(attempts.c.thought_tokens),
            ).where(mine)
        )
    ).one()
    pairs = await connection.scalar(
        select(func.count())
        .select_from(tables.pairs)
        .where(tables.pairs.c.campaign_id == campaign_id)
    )
    by_rule = select(rejected.c.rule, func.count()).where(rejected.c.campaign_id == campaign_id)
    by_outcome = select(attempts.c.outcome, func.count()).where(mine)
    finished_recently, recent_s = await _recent_pace(connection, campaign_id, now)
    return CampaignReport(
        campaign_id=campaign_id,
        campaign=campaign,
        progress=await progress(connection, campaign_id),
        pairs=pairs or 0,
        rejected=await _counts(connection, by_rule.group_by(rejected.c.rule)),
        outcomes=await _counts(connection, by_outcome.group_by(attempts.c.outcome)),
        tokens=TokenUse(*(int(count) for count in spent)),
        keys=await _key_reports(connection, campaign_id),
        blocked=await _blocked(connection, campaign.model, now),
        dead_letters=await _dead_letters(connection, campaign_id),
        finished_recently=finished_recently,
        recent_s=recent_s,
    )


async def _counts(connection: AsyncConnection, statement: Select[Any]) -> dict[Any, int]:
    return {row[0]: row[1] for row in await connection.execute(statement)}


async def _key_reports(connection: AsyncConnection, campaign_id: int) -> tuple[KeyReport, ...]:
    attempts, keys = tables.attempts, tables.keys
    outcomes: dict[str, dict[str, int]] = {}
    statement = (
        select(attempts.c.key_fingerprint, attempts.c.outcome, func.count())
        .where(attempts.c.campaign_id == campaign_id)
        .group_by(attempts.c.key_fingerprint, attempts.c.outcome)
    )
    for fingerprint, outcome, count in await connection.execute(statement):
        outcomes.setdefault(fingerprint, {})[outcome] = count
    rows = await connection.execute(select(keys).order_by(keys.c.label))
    return tuple(
        KeyReport(row.label, row.project, row.removed_because, outcomes.get(row.fingerprint, {}))
        for row in rows
    )


async def _blocked(
    connection: AsyncConnection, model: str, now: float
) -> tuple[ProjectRecord, ...]:
    projects = tables.projects
    rows = await connection.execute(
        select(projects)
        .where(projects.c.model == model, projects.c.blocked_until > now)
        .order_by(projects.c.project)
    )
    return tuple(project_record(row) for row in rows)


async def _dead_letters(connection: AsyncConnection, campaign_id: int) -> tuple[DeadLetter, ...]:
    work, items = tables.work, tables.items
    rows = await connection.execute(
        select(items.c.listing_id, items.c.image_path, work.c.reason)
        .join(items, items.c.id == work.c.item_id)
        .where(work.c.campaign_id == campaign_id, work.c.state == int(WorkState.DEAD))
        .order_by(work.c.item_id.desc())
        .limit(DEAD_LETTERS)
    )
    return tuple(DeadLetter(*row) for row in rows)


async def _recent_pace(
    connection: AsyncConnection, campaign_id: int, now: float
) -> tuple[int, float]:
    """Return the items answered of late, and the seconds that this took until ``now``."""
    attempts = tables.attempts
    row = (
        await connection.execute(
            select(func.count(), func.min(attempts.c.started_at)).where(
                attempts.c.campaign_id == campaign_id,
                attempts.c.finished_at > now - RECENT_S,
                attempts.c.outcome == Outcome.ANSWERED.value,
            )
        )
    ).one()
    return (row[0], max(1.0, now - row[1])) if row[0] else (0, RECENT_S)


def project_record(row: Any) -> ProjectRecord:  # noqa: ANN401 - SQLAlchemy types no columns
    """Return the record that a row of ``projects`` holds."""
    return ProjectRecord(
        project=row.project,
        blocked_until=row.blocked_until,
        blocked_window=Window(row.blocked_window),
        probe_at=row.probe_at,
        learned=Quota(rpm=row.learned_rpm, tpm=row.learned_tpm, rpd=row.learned_rpd),
    )
