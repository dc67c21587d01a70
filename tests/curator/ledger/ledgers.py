"""Ledgers for tests: made quickly, filled a little, and counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from curator.judging.drafts import Draft
from curator.judging.rules import validate
from curator.ledger import (
    Attempt,
    Campaign,
    ItemChange,
    Ledger,
    Outcome,
    Result,
    TokenUse,
    WorkState,
    migrate,
)
from curator.ledger.database.plain import reading
from curator.ledger.queries.pairs import pages_of_pairs
from shared.endpoints.keys.asked_model import AskedModel
from shared.records import ImageRef, Listing
from shared.records.pair_rows import PairRow, rows_of

FIRST_RELEASE = Path(__file__).parent / "database" / "ledger_0001.sql"
CAMPAIGN = Campaign((AskedModel("gemini-x"),), "1-abc", 3)

DRAFTS = [
    Draft("What is the colour of it?", "red", "easy"),
    Draft("Is the red shoe red in here?", "red", "easy"),
    Draft("What is it made of?", "wood", "hard"),
]


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "empty.db")
        migrate(path)
        return path.read_bytes()


def fresh_ledger(path: Path) -> Path:
    """Make an empty ledger at ``path``; the migrations run once for all tests."""
    path.write_bytes(_empty())
    return path


def steps_of(path: Path, query: Callable[..., object], *args: object) -> list[str]:
    """Return how SQLite finds what ``query`` asks of the ledger at ``path``."""
    asked: list[str] = []
    with reading(path) as connection:
        connection.set_trace_callback(asked.append)
        query(connection, *args)
        connection.set_trace_callback(None)
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {statement}") for statement in asked]
        return [step for plan in plans for *_, step in plan]


def listings(count: int, start: int = 0) -> list[Listing]:
    return [
        Listing(f"L{n}", ImageRef(f"i{n}", f"{n}.jpg"), {"item_name": f"thing {n}"})
        for n in range(start, start + count)
    ]


async def enrolled(ledger: Ledger, count: int) -> int:
    await ledger.add_catalog("src", "f1", "images", listings(count), 1.0)
    return await ledger.enrol(CAMPAIGN, 1.0)


def attempt(ledger: Ledger, campaign_id: int, item_id: int, at: float = 5.0) -> Attempt:
    return Attempt(ledger.new_attempt_id(), campaign_id, item_id, "fp", "p", "gemini-x", at, 100)


def answered(begun: Attempt, at: float = 6.0) -> Result:
    return Result(
        begun.attempt_id,
        at,
        Outcome.ANSWERED,
        tokens=TokenUse(90, 40, 3, cached=20, images=60),
        reply='{"raw": "reply"}',
        change=ItemChange(begun.campaign_id, begun.item_id, WorkState.DONE, 0),
        verdict=validate(DRAFTS, answer_words=1),
    )


KINDS = ("input_tokens", "output_tokens", "thought_tokens", "cached_tokens", "image_tokens")
MADE_BY = (
    "coalesce((SELECT iif(model_version = '', model, model_version) "
    "FROM attempts WHERE id = attempt_id), '')"
)

TALLIES = {
    "SELECT campaign_id, state, items FROM work_tallies WHERE items != 0": (
        "SELECT campaign_id, state, count(*) FROM work GROUP BY 1, 2"
    ),
    "SELECT campaign_id, state, agrees, pairs FROM opinion_tallies WHERE pairs != 0": (
        "SELECT campaign_id, state, agrees, count(*) FROM second_opinions "
        "JOIN pairs USING (campaign_id, item_id, question) GROUP BY 1, 2, 3"
    ),
    "SELECT campaign_id, rule, model, pairs FROM pair_tallies WHERE pairs != 0": (
        f"SELECT campaign_id, '', {MADE_BY}, count(*) FROM pairs GROUP BY 1, 3 UNION ALL "
        f"SELECT campaign_id, rule, {MADE_BY}, count(*) FROM rejected_pairs GROUP BY 1, 2, 3"
    ),
    "SELECT campaign_id, model, key_fingerprint, outcome, second_opinion, ending, form, rejection, "
    "drafts, requests FROM attempt_tallies WHERE requests != 0": (
        "SELECT campaign_id, model, key_fingerprint, outcome, question IS NOT NULL, "
        "coalesce(ending, ''), coalesce(form, ''), coalesce(rejection, ''), coalesce(drafts, 0), "
        "count(*) FROM attempts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
    ),
    f"SELECT campaign_id, model, model_version, tier, {', '.join(KINDS)} FROM token_tallies": (
        "SELECT campaign_id, model, model_version, tier, "
        f"{', '.join(f'sum({kind})' for kind in KINDS)} FROM attempts "
        "WHERE input_tokens + output_tokens + thought_tokens > 0 GROUP BY 1, 2, 3, 4"
    ),
    "SELECT campaign_id, model, model_version, model_stage, retires_at, replies, latest_attempt "
    "FROM model_tallies WHERE replies != 0": (
        "SELECT campaign_id, model, model_version, model_stage, coalesce(retires_at, 0.0), "
        "count(*), max(id) FROM attempts WHERE model_version != '' GROUP BY 1, 2, 3, 4, 5"
    ),
}


def tallied(path: Path) -> list[set[tuple]]:
    """Return what the tallies hold, once it is found to be what counting the rows gives."""
    with closing(sqlite3.connect(path)) as database:
        for tally, count in TALLIES.items():
            assert set(database.execute(tally)) == set(database.execute(count))
        return [set(database.execute(tally)) for tally in TALLIES]


def kept_pairs(path: Path, *campaign_ids: int, models: Collection[str] = ()) -> list[PairRow]:
    """Return the pairs of campaigns as they are exported, of prompts without a version."""
    versions = dict.fromkeys(campaign_ids or (1,), lambda *_: "")
    pages = pages_of_pairs(path, versions, lambda *_: "", models)
    return [row for page in pages for row in rows_of(page)]
