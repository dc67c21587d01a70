"""What is asked of a ledger as a whole: progress, counts by name, keys, use of quotas, course.

Functions of a connection that ``curator.ledger.database.reading`` opened. What would have to be
counted over millions of rows is read from tallies.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Final

from curator.judging.facts import Form, ReplyFacts
from curator.keys.quota import (
    LONGEST_ARRIVAL_S,
    MINUTE_S,
    LearnedLimit,
    Quota,
    Window,
    corrected,
    day_counts_from,
    day_start,
)
from curator.ledger.records.work import (
    Campaign,
    CampaignReport,
    DeadLetter,
    KeyReport,
    LeftOut,
    Memory,
    OpinionCounts,
    Outcome,
    Progress,
    RecentLoad,
    TokenUse,
    WorkState,
)
from curator.ledger.reports.pace import RECENT_S, Bin, History, history_of, width_for
from curator.pool.records import ProjectRecord, ProjectUse, RemovedKey

DEAD_LETTERS: Final = 20
"""How many of the latest are listed."""
LATEST: Final = 500
"""Requests over which means are taken."""
MOST_RECENT: Final = 5_000
"""Items that the present rate is taken from, at most."""
DAY_S: Final = 86_400.0
LOST_FOR_S: Final = 180.0
"""A request without an end that was begun so long ago may still have left in the last minute."""
NOT_IN_FILE: Final = "not among the keys of the last run"
"""Why a key does not serve that has not failed for good."""

_ANSWERED: Final = Outcome.ANSWERED.value


def progress(connection: sqlite3.Connection, campaign_id: int) -> Progress:
    """Return how far a campaign is."""
    statement = "SELECT state, items FROM work_tallies WHERE campaign_id = ?"
    counts = dict(connection.execute(statement, (campaign_id,)).fetchall())
    return Progress(
        pending=counts.get(WorkState.PENDING, 0),
        done=counts.get(WorkState.DONE, 0),
        dead=counts.get(WorkState.DEAD, 0),
    )


def bears_fruit(connection: sqlite3.Connection, campaign_id: int, latest: int) -> bool:
    """Return whether any of the ``latest`` requests about images that came to something, did.

    What the service or a key caused says nothing about that.
    """
    statement = (
        "SELECT outcome FROM attempts WHERE campaign_id = ? AND question IS NULL"
        " AND outcome IN (?, ?, ?) ORDER BY finished_at DESC LIMIT ?"
    )
    outcomes = (_ANSWERED, Outcome.UNUSABLE.value, Outcome.BAD_REQUEST.value)
    rows = connection.execute(statement, (campaign_id, *outcomes, latest))
    return any(outcome == _ANSWERED for (outcome,) in rows)


def opinion_counts(connection: sqlite3.Connection, campaign_id: int) -> OpinionCounts:
    """Count the chosen pairs; those that judging again took away do not count."""
    statement = "SELECT state, agrees, pairs FROM opinion_tallies WHERE campaign_id = ?"
    rows = connection.execute(statement, (campaign_id,))
    found = {(state, agrees): pairs for state, agrees, pairs in rows}
    return OpinionCounts(
        waiting=found.get((WorkState.PENDING, 0), 0),
        agrees=found.get((WorkState.DONE, 1), 0),
        disagrees=found.get((WorkState.DONE, 0), 0),
        given_up=found.get((WorkState.DEAD, 0), 0),
    )


def campaign_reports(connection: sqlite3.Connection, now: float) -> list[CampaignReport]:
    """Return a report of each campaign, oldest first."""
    rows = connection.execute("SELECT * FROM campaigns ORDER BY id").fetchall()
    return [
        _report(
            connection,
            row["id"],
            Campaign(row["model"], row["prompt_version"], row["questions"], row["annotator"]),
            now,
        )
        for row in rows
    ]


def _report(
    connection: sqlite3.Connection, campaign_id: int, campaign: Campaign, now: float
) -> CampaignReport:
    by_model, by_rule = _pairs(connection, campaign_id)
    outcomes, by_key = _outcomes(connection, campaign_id)
    records = project_records(connection, campaign.model)
    finished_recently, recent_s = _recent_pace(connection, campaign_id, now)
    return CampaignReport(
        campaign_id=campaign_id,
        campaign=campaign,
        progress=progress(connection, campaign_id),
        pairs_by_model=by_model,
        rejected=by_rule,
        outcomes=outcomes,
        replies=_replies(connection, campaign_id),
        opinions=opinion_counts(connection, campaign_id),
        tokens_by_model=_tokens(connection, campaign_id),
        keys=_key_reports(connection, campaign.model, by_key, records, now),
        blocked=tuple(records[name] for name in sorted(records) if _is_blocked(records[name], now)),
        dead_letters=_dead_letters(connection, campaign_id),
        given_up=given_up(connection, campaign_id),
        finished_recently=finished_recently,
        recent_s=recent_s,
        left_out=left_out(connection),
    )


def left_out(connection: sqlite3.Connection) -> tuple[LeftOut, ...]:
    """Return what of the catalogues could not be used."""
    rows = connection.execute("SELECT left_out FROM sources WHERE left_out IS NOT NULL")
    return tuple(LeftOut(*entry) for row in rows for entry in json.loads(row["left_out"]))


def _is_blocked(record: ProjectRecord, now: float) -> bool:
    return record.blocked_until > now


def _pairs(
    connection: sqlite3.Connection, campaign_id: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the pairs by the model that made them, and the rejected ones by rule."""
    statement = "SELECT rule, model, pairs FROM pair_tallies WHERE campaign_id = ? AND pairs > 0"
    by_model: dict[str, int] = {}
    by_rule: dict[str, int] = {}
    for rule, model, count in connection.execute(statement, (campaign_id,)):
        if rule:
            by_rule[rule] = by_rule.get(rule, 0) + count
        else:
            by_model[model] = count
    return by_model, by_rule


def _tokens(connection: sqlite3.Connection, campaign_id: int) -> dict[str, TokenUse]:
    statement = (
        "SELECT model, sum(input_tokens), sum(output_tokens), sum(thought_tokens) "
        "FROM attempt_tallies WHERE campaign_id = ? AND requests > 0 GROUP BY model"
    )
    rows = connection.execute(statement, (campaign_id,))
    return {model: TokenUse(*spent) for model, *spent in rows if any(spent)}


def _outcomes(
    connection: sqlite3.Connection, campaign_id: int
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Return the requests by outcome: of all keys, and of each by its fingerprint."""
    statement = (
        "SELECT key_fingerprint, outcome, sum(requests) FROM attempt_tallies "
        "WHERE campaign_id = ? AND requests > 0 GROUP BY key_fingerprint, outcome"
    )
    total: dict[str, int] = {}
    by_key: dict[str, dict[str, int]] = {}
    for fingerprint, outcome, count in connection.execute(statement, (campaign_id,)):
        total[outcome] = total.get(outcome, 0) + count
        by_key.setdefault(fingerprint, {})[outcome] = count
    return total, by_key


def _replies(connection: sqlite3.Connection, campaign_id: int) -> dict[ReplyFacts, int]:
    statement = (
        "SELECT ending, form, drafts, rejection, sum(requests) FROM attempt_tallies "
        "WHERE campaign_id = ? AND form != '' AND second_opinion = 0 AND requests > 0 "
        "GROUP BY ending, form, drafts, rejection"
    )
    return {
        ReplyFacts(ending, Form(form), drafts, rejection): count
        for ending, form, drafts, rejection, count in connection.execute(statement, (campaign_id,))
    }


def _key_reports(
    connection: sqlite3.Connection,
    model: str,
    outcomes: Mapping[str, Mapping[str, int]],
    records: Mapping[str, ProjectRecord],
    now: float,
) -> tuple[KeyReport, ...]:
    rows = connection.execute("SELECT * FROM keys ORDER BY label").fetchall()
    since = day_start(now)
    projects = dict.fromkeys(row["project"] for row in rows)
    today = {name: _requests_since(connection, model, name, since) for name in projects}
    return tuple(
        KeyReport(
            fingerprint=row["fingerprint"],
            label=row["label"],
            project=row["project"],
            removed_because=row["removed_because"] or _refused(records.get(row["project"])),
            outcomes=outcomes.get(row["fingerprint"], {}),
            quota=_quota_of(row, records.get(row["project"]), now),
            project_today=today[row["project"]],
            removed_at=row["updated_at"] if _failed_for_good(row) else None,
        )
        for row in rows
    )


def _failed_for_good(row: sqlite3.Row) -> bool:
    return row["removed_because"] not in {"", NOT_IN_FILE}


def removed_keys(connection: sqlite3.Connection) -> dict[str, RemovedKey]:
    """Return the keys that failed for good, by fingerprint.

    One that left because nothing came of its requests has not: no server said that of the key.
    """
    statement = (
        "SELECT * FROM keys WHERE fingerprint IN (SELECT key_fingerprint FROM attempt_tallies "
        "WHERE outcome = ? AND requests > 0)"
    )
    return {
        row["fingerprint"]: RemovedKey(
            label=row["label"],
            project=row["project"],
            quota=Quota(rpm=row["rpm"], tpm=row["tpm"], rpd=row["rpd"]),
            reason=row["removed_because"],
            at=row["updated_at"],
        )
        for row in connection.execute(statement, (Outcome.INVALID_KEY.value,))
        if _failed_for_good(row)
    }


def _refused(record: ProjectRecord | None) -> str:
    return record.refused_because if record else ""


def _quota_of(row: sqlite3.Row, record: ProjectRecord | None, now: float) -> Quota:
    stated = Quota(rpm=row["rpm"], tpm=row["tpm"], rpd=row["rpd"])
    return corrected(stated, record.learned, now) if record else stated


def memory(connection: sqlite3.Connection, report: CampaignReport, now: float) -> Memory:
    """Return what a forecast of a campaign starts from."""
    model = report.campaign.model
    return Memory(
        recent_load(connection, report.campaign_id),
        project_use(connection, model, now),
        project_records(connection, model),
    )


def project_use(connection: sqlite3.Connection, model: str, now: float) -> dict[str, ProjectUse]:
    """Return what each project has used of its minute and day at ``now``.

    A request that was begun and never finished counts with its estimate, and as sent now: it may
    have left at any moment until the process ended.
    """
    statement = (
        "SELECT iif(finished_at IS NULL, ?, started_at) AS sent_at, "
        "iif(input_tokens > 0, input_tokens, reserved_tokens) FROM attempts "
        "WHERE model = ? AND project = ? AND started_at > ? "
        "AND (finished_at IS NULL OR started_at > ?) ORDER BY sent_at"
    )
    found: dict[str, ProjectUse] = {}
    for project in _projects_asked(connection, model):
        since = now - MINUTE_S - LONGEST_ARRIVAL_S
        rows = connection.execute(statement, (now, model, project, now - LOST_FOR_S, since))
        minute = tuple((at, spent) for at, spent in rows)
        today = _requests_since(connection, model, project, day_counts_from(now))
        if minute or today:
            found[project] = ProjectUse(minute, today)
    return found


def _projects_asked(connection: sqlite3.Connection, model: str) -> list[str]:
    """Return all projects that a model was asked through.

    From one to the next by the index: a plain DISTINCT goes through all attempts.
    """
    statement = (
        "WITH RECURSIVE known(project) AS ("
        " SELECT min(project) FROM attempts WHERE model = :model"
        " UNION ALL"
        " SELECT (SELECT min(project) FROM attempts"
        "  WHERE model = :model AND project > known.project)"
        " FROM known WHERE project IS NOT NULL"
        ") SELECT project FROM known WHERE project IS NOT NULL"
    )
    return [row[0] for row in connection.execute(statement, {"model": model})]


def _requests_since(connection: sqlite3.Connection, model: str, project: str, since: float) -> int:
    # Project by project, because the index on all three columns serves such a question only.
    statement = "SELECT count(*) FROM attempts WHERE model = ? AND project = ? AND started_at >= ?"
    return int(connection.execute(statement, (model, project, since)).fetchone()[0])


def project_records(connection: sqlite3.Connection, model: str) -> dict[str, ProjectRecord]:
    """Return what is remembered of each project for ``model``."""
    learned: dict[str, dict[str, LearnedLimit]] = {}
    for row in connection.execute("SELECT * FROM learned_limits WHERE model = ?", (model,)):
        one = LearnedLimit(row["value"], row["stated"], row["learned_at"])
        learned.setdefault(row["project"], {})[row["name"]] = one
    return {
        row["project"]: ProjectRecord(
            project=row["project"],
            blocked_until=row["blocked_until"],
            blocked_window=Window(row["blocked_window"]),
            probe_at=row["probe_at"],
            learned=learned.get(row["project"], {}),
            refused_because=row["refused_because"],
        )
        for row in connection.execute("SELECT * FROM projects WHERE model = ?", (model,))
    }


def given_up(connection: sqlite3.Connection, campaign_id: int) -> dict[str, int]:
    """Count the dead letters of a campaign by reason, the most common first."""
    statement = (
        "SELECT reason, count(*) FROM work WHERE campaign_id = ? AND state = ? "
        "GROUP BY reason ORDER BY count(*) DESC, reason"
    )
    return dict(connection.execute(statement, (campaign_id, WorkState.DEAD.value)).fetchall())


def _dead_letters(connection: sqlite3.Connection, campaign_id: int) -> tuple[DeadLetter, ...]:
    statement = (
        "SELECT listing_id, image_path, reason FROM work JOIN items ON items.id = work.item_id "
        "WHERE campaign_id = ? AND state = ? ORDER BY rank DESC LIMIT ?"
    )
    rows = connection.execute(statement, (campaign_id, WorkState.DEAD.value, DEAD_LETTERS))
    return tuple(DeadLetter(*row) for row in rows)


def _recent_pace(connection: sqlite3.Connection, campaign_id: int, now: float) -> tuple[int, float]:
    """Return the items answered lately, and the seconds that this took until ``now``.

    At a high rate, those are the latest: counting minutes of them would take a second.
    """
    statement = (
        "SELECT count(*), min(started_at), min(finished_at) FROM ("
        " SELECT started_at, finished_at FROM attempts"
        " WHERE campaign_id = ? AND finished_at > ? AND outcome = ? AND question IS NULL"
        " ORDER BY finished_at DESC LIMIT ?)"
    )
    values = (campaign_id, now - RECENT_S, _ANSWERED, MOST_RECENT)
    count, started_at, finished_at = connection.execute(statement, values).fetchone()
    if not count:
        return 0, RECENT_S
    first = started_at if count < MOST_RECENT else finished_at
    return count, max(1.0, now - first)


def recent_load(connection: sqlite3.Connection, campaign_id: int) -> RecentLoad:
    """Return the means of the latest answered requests of a campaign."""
    statement = (
        "SELECT avg(took_s), avg(input_tokens) FROM ("
        " SELECT finished_at - started_at AS took_s, input_tokens FROM attempts"
        " WHERE campaign_id = ? AND outcome = ? ORDER BY finished_at DESC LIMIT ?)"
    )
    took_s, tokens = connection.execute(statement, (campaign_id, _ANSWERED, LATEST)).fetchone()
    return RecentLoad(took_s or 0.0, tokens or 0.0)


def history(connection: sqlite3.Connection, campaign_id: int, now: float) -> History:
    """Return the course of a campaign: since its first request, or over the last day."""
    first_of = "SELECT min(finished_at) FROM attempts WHERE campaign_id = ? AND finished_at > ?"
    [first] = connection.execute(first_of, (campaign_id, now - DAY_S)).fetchone()
    start = now if first is None else min(first, now)
    width_s = width_for(now - start)
    statement = (
        "SELECT CAST((finished_at - :start) / :width AS INTEGER) AS number, outcome, count(*) "
        "FROM attempts "
        "WHERE campaign_id = :campaign AND finished_at >= :start AND finished_at <= :now "
        "GROUP BY number, outcome"
    )
    values = {"campaign": campaign_id, "start": start, "width": width_s, "now": now}
    rows = connection.execute(statement, values)
    return history_of(
        start, width_s, ((number, _bin(outcome, count)) for number, outcome, count in rows)
    )


def _bin(outcome: str, count: int) -> Bin:
    if outcome == _ANSWERED:
        return Bin(answered=count)
    return Bin(limited=count) if outcome == Outcome.RATE_LIMITED.value else Bin(failed=count)
