"""What ``curator status`` asks the ledger: counts by state, outcome, rule and key."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Integer, Select, Text, bindparam, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.judging import ReplyFacts
from curator.ledger import opinions, tables
from curator.ledger.records import (
    Campaign,
    CampaignReport,
    DeadLetter,
    KeyReport,
    Outcome,
    Progress,
    ProjectRecord,
    ProjectUse,
    RecentLoad,
    TokenUse,
    WorkState,
)
from curator.pace import RECENT_S, Bin, History, history_of, width_for
from curator.quota import MINUTE_S, LearnedLimit, Quota, Window, corrected, day_start
from curator.replies import Form

DEAD_LETTERS: Final = 20
"""How many of the latest are listed."""
LATEST: Final = 500
"""Requests over which means are taken."""
DAY_S: Final = 86_400.0


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
            connection,
            row.id,
            Campaign(row.model, row.prompt_version, row.questions, row.annotator),
            now,
        )
        for row in rows
    ]


async def _report(
    connection: AsyncConnection, campaign_id: int, campaign: Campaign, now: float
) -> CampaignReport:
    made, judged = tables.attempt_tallies, tables.pair_tallies
    mine = made.c.campaign_id == campaign_id
    spent = (
        await connection.execute(
            select(
                func.total(made.c.input_tokens),
                func.total(made.c.output_tokens),
                func.total(made.c.thought_tokens),
            ).where(mine)
        )
    ).one()
    by_rule = await _counts(
        connection, select(judged.c.rule, judged.c.pairs).where(judged.c.campaign_id == campaign_id)
    )
    by_outcome = select(made.c.outcome, func.sum(made.c.requests)).where(mine)
    finished_recently, recent_s = await _recent_pace(connection, campaign_id, now)
    return CampaignReport(
        campaign_id=campaign_id,
        campaign=campaign,
        progress=await progress(connection, campaign_id),
        pairs=by_rule.pop("", 0),
        rejected=by_rule,
        outcomes=await _counts(connection, by_outcome.group_by(made.c.outcome)),
        replies=await _replies(connection, campaign_id),
        opinions=await opinions.counts(connection, campaign_id),
        tokens=TokenUse(*(int(count) for count in spent)),
        keys=await _key_reports(connection, campaign_id, campaign.model, now),
        blocked=await _blocked(connection, campaign.model, now),
        dead_letters=await _dead_letters(connection, campaign_id),
        finished_recently=finished_recently,
        recent_s=recent_s,
    )


async def _counts(connection: AsyncConnection, statement: Select[Any]) -> dict[Any, int]:
    # A tally may have come down to nothing.
    return {row[0]: row[1] for row in await connection.execute(statement) if row[1]}


async def _replies(connection: AsyncConnection, campaign_id: int) -> dict[ReplyFacts, int]:
    made = tables.attempt_tallies
    kinds = (made.c.ending, made.c.form, made.c.drafts, made.c.rejection)
    statement = select(*kinds, func.sum(made.c.requests)).where(
        made.c.campaign_id == campaign_id,
        made.c.form != "",
        made.c.second_opinion == 0,
        made.c.requests > 0,
    )
    rows = await connection.execute(statement.group_by(*kinds))
    return {
        ReplyFacts(ending, Form(form), drafts, rejection): count
        for ending, form, drafts, rejection, count in rows
    }


async def _key_reports(
    connection: AsyncConnection, campaign_id: int, model: str, now: float
) -> tuple[KeyReport, ...]:
    made, keys = tables.attempt_tallies, tables.keys
    outcomes: dict[str, dict[str, int]] = {}
    statement = (
        select(made.c.key_fingerprint, made.c.outcome, func.sum(made.c.requests))
        .where(made.c.campaign_id == campaign_id, made.c.requests > 0)
        .group_by(made.c.key_fingerprint, made.c.outcome)
    )
    for fingerprint, outcome, count in await connection.execute(statement):
        outcomes.setdefault(fingerprint, {})[outcome] = count
    rows = (await connection.execute(select(keys).order_by(keys.c.label))).all()
    learned = await project_records(connection, model)
    projects = dict.fromkeys(row.project for row in rows)
    today = {
        name: await _requests_since(connection, model, name, day_start(now)) for name in projects
    }
    return tuple(
        KeyReport(
            fingerprint=row.fingerprint,
            label=row.label,
            project=row.project,
            removed_because=row.removed_because,
            outcomes=outcomes.get(row.fingerprint, {}),
            quota=_quota_of(row, learned.get(row.project), now),
            project_today=today[row.project],
        )
        for row in rows
    )


def _quota_of(row: Any, learned: ProjectRecord | None, now: float) -> Quota:  # noqa: ANN401 - as above
    stated = Quota(rpm=row.rpm, tpm=row.tpm, rpd=row.rpd)
    return corrected(stated, learned.learned, now) if learned else stated


async def project_use(connection: AsyncConnection, model: str, now: float) -> dict[str, ProjectUse]:
    """Return what each project has used of its minute and day at ``now``."""
    use = tables.attempts
    projects = [row[0] for row in await connection.execute(_projects_asked(), {"model": model})]
    tokens = func.iif(use.c.input_tokens > 0, use.c.input_tokens, use.c.reserved_tokens)
    found: dict[str, ProjectUse] = {}
    for project in projects:
        statement = (
            select(use.c.started_at, tokens)
            .where(
                use.c.model == model, use.c.project == project, use.c.started_at > now - MINUTE_S
            )
            .order_by(use.c.started_at)
        )
        minute = tuple((at, spent) for at, spent in await connection.execute(statement))
        today = await _requests_since(connection, model, project, day_start(now))
        if minute or today:
            found[project] = ProjectUse(minute, today)
    return found


def _projects_asked() -> Select[Any]:
    """Return the query for all projects that a model was asked through.

    From one to the next by the index: a plain DISTINCT goes through all attempts.
    """
    use, model = tables.attempts, bindparam("model", type_=Text)
    first = select(func.min(use.c.project).label("project")).where(use.c.model == model)
    known = first.cte("known", recursive=True)
    after = select(func.min(use.c.project)).where(
        use.c.model == model, use.c.project > known.c.project
    )
    known = known.union_all(select(after.scalar_subquery()).where(known.c.project.is_not(None)))
    return select(known.c.project).where(known.c.project.is_not(None))


async def _requests_since(
    connection: AsyncConnection, model: str, project: str, since: float
) -> int:
    # Project by project, because the index on all three columns serves such a question only.
    use = tables.attempts
    count = await connection.scalar(
        select(func.count()).where(
            use.c.model == model, use.c.project == project, use.c.started_at >= since
        )
    )
    return count or 0


async def project_records(connection: AsyncConnection, model: str) -> dict[str, ProjectRecord]:
    """Return what is remembered of each project for ``model``."""
    limits = tables.learned_limits
    learned: dict[str, dict[str, LearnedLimit]] = {}
    for row in await connection.execute(select(limits).where(limits.c.model == model)):
        one = LearnedLimit(row.value, row.stated, row.learned_at)
        learned.setdefault(row.project, {})[row.name] = one
    statement = select(tables.projects).where(tables.projects.c.model == model)
    return {
        row.project: ProjectRecord(
            project=row.project,
            blocked_until=row.blocked_until,
            blocked_window=Window(row.blocked_window),
            probe_at=row.probe_at,
            learned=learned.get(row.project, {}),
        )
        for row in await connection.execute(statement)
    }


async def _blocked(
    connection: AsyncConnection, model: str, now: float
) -> tuple[ProjectRecord, ...]:
    records = await project_records(connection, model)
    return tuple(records[name] for name in sorted(records) if records[name].blocked_until > now)


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
                attempts.c.question.is_(None),
            )
        )
    ).one()
    return (row[0], max(1.0, now - row[1])) if row[0] else (0, RECENT_S)


async def recent_load(connection: AsyncConnection, campaign_id: int) -> RecentLoad:
    """Return the means of the latest answered requests of a campaign."""
    attempts = tables.attempts
    latest = (
        select(
            (attempts.c.finished_at - attempts.c.started_at).label("took_s"),
            attempts.c.input_tokens,
        )
        .where(
            attempts.c.campaign_id == campaign_id,
            attempts.c.outcome == Outcome.ANSWERED.value,
        )
        .order_by(attempts.c.finished_at.desc())
        .limit(LATEST)
        .subquery()
    )
    means = select(func.avg(latest.c.took_s), func.avg(latest.c.input_tokens))
    row = (await connection.execute(means)).one()
    return RecentLoad(row[0] or 0.0, row[1] or 0.0)


async def history(connection: AsyncConnection, campaign_id: int, now: float) -> History:
    """Return the course of a campaign: since its first request, or over the last day."""
    attempts = tables.attempts
    mine = attempts.c.campaign_id == campaign_id
    first = await connection.scalar(
        select(func.min(attempts.c.finished_at)).where(mine, attempts.c.finished_at > now - DAY_S)
    )
    start = now if first is None else min(first, now)
    width_s = width_for(now - start)
    number = cast((attempts.c.finished_at - start) / width_s, Integer).label("number")
    statement = (
        select(number, attempts.c.outcome, func.count())
        .where(mine, attempts.c.finished_at >= start, attempts.c.finished_at <= now)
        .group_by(number, attempts.c.outcome)
    )
    rows = await connection.execute(statement)
    return history_of(start, width_s, ((row[0], _bin(row[1], row[2])) for row in rows))


def _bin(outcome: str, count: int) -> Bin:
    if outcome == Outcome.ANSWERED.value:
        return Bin(answered=count)
    return Bin(limited=count) if outcome == Outcome.RATE_LIMITED.value else Bin(failed=count)
