"""The queue of a campaign: who is in it, what waits, and what returns to it."""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from curator.ledger.database.coding import listing_of, models_text
from curator.ledger.queue import opinions, order
from curator.ledger.queue.batches import IMAGE_IS_HELD
from curator.ledger.queue.views import with_views
from curator.ledger.records.work import Campaign, WorkItem, WorkState

_MADE: Final = """
INSERT INTO campaigns (
  prompt_version, questions, models, annotator, budget_usd, budget_tokens, canaries, prompts,
  created_at
) VALUES (
  :prompt_version, :questions, :models, :annotator, :budget_usd, :budget_tokens, :canaries,
  :prompts, :now
) ON CONFLICT (prompt_version, questions) DO UPDATE SET models = excluded.models,
  annotator = excluded.annotator, budget_usd = excluded.budget_usd,
  budget_tokens = excluded.budget_tokens, canaries = excluded.canaries, prompts = excluded.prompts
"""
# What a batch job holds does not wait.
_WAITING: Final = f"""
SELECT work.attempts, work.rank, items.* FROM work JOIN items ON items.id = work.item_id
WHERE work.campaign_id = ? AND work.state = ? AND work.rank > ? AND NOT {IMAGE_IS_HELD}
ORDER BY work.rank LIMIT ?
"""  # noqa: S608 - of constants alone


def enrol(
    connection: sqlite3.Connection, campaign: Campaign, now: float, shuffle_seed: int | None
) -> int:
    """Queue every item for ``campaign`` that it does not have yet; return its id."""
    values = {
        "prompt_version": campaign.prompt_version,
        "questions": campaign.questions,
        "models": models_text(campaign.models),
        "annotator": campaign.annotator,
        "budget_usd": campaign.budget.usd,
        "budget_tokens": campaign.budget.tokens,
        "canaries": campaign.canaries,
        "prompts": json.dumps(list(campaign.prompts), ensure_ascii=False),
        "now": now,
    }
    connection.execute(_MADE, values)
    which = "SELECT id, shuffle_seed FROM campaigns WHERE prompt_version = ? AND questions = ?"
    same = (campaign.prompt_version, campaign.questions)
    campaign_id, old_seed = connection.execute(which, same).fetchone()
    seed = old_seed if shuffle_seed is None else shuffle_seed
    if seed != old_seed:
        change = "UPDATE campaigns SET shuffle_seed = ? WHERE id = ?"
        connection.execute(change, (seed, campaign_id))
        order.reorder(connection, campaign_id, seed)
    order.enrol_new(connection, campaign_id, seed)
    return int(campaign_id)


def waiting(
    connection: sqlite3.Connection, campaign_id: int, after: int, limit: int
) -> list[WorkItem]:
    """Return up to ``limit`` waiting items with ranks above ``after``, in order."""
    rows = connection.execute(_WAITING, (campaign_id, int(WorkState.PENDING), after, limit))
    items = [WorkItem(row["id"], listing_of(row), row["attempts"], row["rank"]) for row in rows]
    return with_views(connection, campaign_id, items)


def retry_dead(connection: sqlite3.Connection, campaign_id: int) -> int:
    """Return what was given up or left out to the queue, as new; pairs too.

    Returns how many items.
    """
    opinions.retry_dead(connection, campaign_id)
    statement = (
        "UPDATE work SET state = ?, attempts = 0, reason = '', finished_at = NULL"
        " WHERE campaign_id = ? AND state IN (?, ?)"
    )
    over = int(WorkState.DEAD), int(WorkState.UNFIT)
    states = int(WorkState.PENDING), campaign_id, *over
    return connection.execute(statement, states).rowcount
