"""How a campaign stands: progress, and counts by name.

Functions of a connection that ``curator.ledger.database.plain`` opened. What would have to be
counted over millions of rows is read from tallies.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from typing import Final

from curator.judging.facts import Form, ReplyFacts
from curator.ledger.database.coding import models_of
from curator.ledger.records.overview import (
    Answerers,
    CampaignReport,
    DeadLetter,
    LeftOut,
    OpinionCounts,
    Progress,
)
from curator.ledger.records.requests import Outcome, TokenUse
from curator.ledger.records.work import Campaign, WorkState
from curator.ledger.reports.batches import batch_counts
from curator.ledger.reports.canaries import canary_days
from curator.ledger.reports.course import recent_pace
from curator.ledger.reports.keys import key_reports
from curator.ledger.reports.models import replies_by_model
from curator.ledger.reports.projects import left_out_settings, project_records
from shared.endpoints.models.budget_limit import BudgetLimit
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.records import ProjectRecord

DEAD_LETTERS: Final = 20
"""How many of the latest are listed."""

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


def last_attempt_id(connection: sqlite3.Connection) -> int:
    """Return the highest number of an attempt, 0 where there is none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0])


def answered_twice(connection: sqlite3.Connection, campaign_id: int) -> int:
    """Return how many items got several replies with pairs in them."""
    statement = (
        "SELECT count(*) FROM (SELECT item_id FROM attempts "
        "WHERE campaign_id = ? AND question IS NULL AND outcome = ? "
        "GROUP BY item_id HAVING count(*) > 1)"
    )
    return int(connection.execute(statement, (campaign_id, _ANSWERED)).fetchone()[0])


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
    counts = {(state, agrees): pairs for state, agrees, pairs in rows}
    return OpinionCounts(
        waiting=counts.get((WorkState.PENDING, 0), 0),
        agrees=counts.get((WorkState.DONE, 1), 0),
        disagrees=counts.get((WorkState.DONE, 0), 0),
        given_up=counts.get((WorkState.DEAD, 0), 0),
    )


def campaigns(connection: sqlite3.Connection) -> dict[int, Campaign]:
    """Return the campaigns by id, oldest first."""
    rows = connection.execute("SELECT * FROM campaigns ORDER BY id")
    return {row["id"]: _campaign(row) for row in rows}


def images(connection: sqlite3.Connection) -> int:
    """Return how many images there are to be asked about."""
    return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])


def campaign_reports(connection: sqlite3.Connection, now: float) -> list[CampaignReport]:
    """Return a report of each campaign, oldest first."""
    return [
        _report(connection, campaign_id, campaign, now)
        for campaign_id, campaign in campaigns(connection).items()
    ]


def _campaign(row: sqlite3.Row) -> Campaign:
    models = models_of(row["models"])
    return Campaign(
        models,
        row["prompt_version"],
        row["questions"],
        row["annotator"],
        BudgetLimit(row["budget_usd"], row["budget_tokens"]),
        row["canaries"],
        tuple(json.loads(row["prompts"])),
    )


def _report(
    connection: sqlite3.Connection, campaign_id: int, campaign: Campaign, now: float
) -> CampaignReport:
    pairs_by_model, by_rule = _pairs(connection, campaign_id)
    by_model, by_key = _outcomes(connection, campaign_id)
    records = project_records(connection, campaign.model_names)
    finished_recently, recent_s = recent_pace(connection, campaign_id, now)
    return CampaignReport(
        campaign_id=campaign_id,
        campaign=campaign,
        progress=progress(connection, campaign_id),
        pairs_by_model=pairs_by_model,
        rejected=by_rule,
        outcomes_by_model=by_model,
        replies=_replies(connection, campaign_id),
        opinions=opinion_counts(connection, campaign_id),
        tokens_spent=_tokens(connection, campaign_id),
        keys=key_reports(connection, campaign.models, by_key, records, now),
        blocked=tuple(records[name] for name in sorted(records) if _is_blocked(records[name], now)),
        dead_letters=_dead_letters(connection, campaign_id),
        given_up=_by_reason(connection, campaign_id, WorkState.DEAD),
        finished_recently=finished_recently,
        recent_s=recent_s,
        left_out=left_out(connection),
        alike=_in_state(connection, campaign_id, WorkState.ALIKE),
        along=_in_state(connection, campaign_id, WorkState.ALONG),
        unfit=_by_reason(connection, campaign_id, WorkState.UNFIT),
        replies_by_model=replies_by_model(connection, campaign_id),
        settings_left_out=left_out_settings(connection, campaign.annotator, now),
        canary_days=canary_days(connection, campaign_id),
        batches=batch_counts(connection, campaign_id),
    )


def _in_state(connection: sqlite3.Connection, campaign_id: int, state: WorkState) -> int:
    statement = "SELECT items FROM work_tallies WHERE campaign_id = ? AND state = ?"
    row = connection.execute(statement, (campaign_id, int(state))).fetchone()
    return row[0] if row else 0


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


def _tokens(connection: sqlite3.Connection, campaign_id: int) -> dict[Answerers, TokenUse]:
    statement = (
        "SELECT model, model_version, tier, "
        "input_tokens, output_tokens, thought_tokens, cached_tokens, image_tokens "
        "FROM token_tallies WHERE campaign_id = ?"
    )
    rows = connection.execute(statement, (campaign_id,))
    return {
        Answerers(asked, answered_by, Tier(tier)): TokenUse(*spent)
        for asked, answered_by, tier, *spent in rows
        if any(spent)
    }


def _outcomes(
    connection: sqlite3.Connection, campaign_id: int
) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
    """Return the requests by outcome: of each model, and of each key by its fingerprint."""
    statement = (
        "SELECT model, key_fingerprint, outcome, sum(requests) FROM attempt_tallies "
        "WHERE campaign_id = ? AND requests > 0 GROUP BY model, key_fingerprint, outcome"
    )
    by_model: dict[str, Counter[str]] = {}
    by_key: dict[str, Counter[str]] = {}
    for model, fingerprint, outcome, count in connection.execute(statement, (campaign_id,)):
        by_model.setdefault(model, Counter())[outcome] += count
        by_key.setdefault(fingerprint, Counter())[outcome] += count
    return by_model, by_key


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


def _by_reason(
    connection: sqlite3.Connection, campaign_id: int, state: WorkState
) -> dict[str, int]:
    """Count the images of a campaign in a state by reason, the most common first."""
    statement = (
        "SELECT reason, count(*) FROM work WHERE campaign_id = ? AND state = ? "
        "GROUP BY reason ORDER BY count(*) DESC, reason"
    )
    return dict(connection.execute(statement, (campaign_id, state.value)).fetchall())


def _dead_letters(connection: sqlite3.Connection, campaign_id: int) -> tuple[DeadLetter, ...]:
    statement = (
        "SELECT listing_id, image_path, reason FROM work JOIN items ON items.id = work.item_id "
        "WHERE campaign_id = ? AND state = ? ORDER BY rank DESC LIMIT ?"
    )
    rows = connection.execute(statement, (campaign_id, WorkState.DEAD.value, DEAD_LETTERS))
    return tuple(DeadLetter(*row) for row in rows)
