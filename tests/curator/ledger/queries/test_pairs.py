"""Pairs are read page by page, and pages without any do not end that."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from curator.ledger.queries.pairs import PAGE
from curator.ledger.repair.mending import count_pairs
from tests.curator.ledger.ledgers import fresh_ledger, kept_pairs

ITEMS = 2 * PAGE + 3


@pytest.fixture
def path(tmp_path):
    """Two campaigns that are done with all; the last image has pairs, in the first page one has."""
    path = fresh_ledger(tmp_path / "l.db")
    numbers = range(1, ITEMS + 1)
    with closing(sqlite3.connect(path)) as database:
        database.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, '{}', '')",
            ((n, f"L{n}", f"i{n}", f"{n}.jpg") for n in numbers),
        )
        database.executemany(
            "INSERT INTO work (campaign_id, item_id, state, attempts, reason, finished_at, rank) "
            "VALUES (?, ?, 1, 1, '', 1.0, 0)",
            ((campaign, n) for n in numbers for campaign in (1, 2)),
        )
        database.executemany(
            "INSERT INTO pairs (campaign_id, item_id, position, question, answer, difficulty, "
            "attempt_id) VALUES (?, ?, ?, ?, ?, 'easy', ?)",
            [
                (1, 7, 0, "What is it?", "a lamp", 1),
                (1, ITEMS, 0, "What is it?", "a chair", 2),
                (1, ITEMS, 1, "Is it lit?", "no", 1),
                (2, ITEMS, 0, "Is it lit?", "yes", 2),
                (2, ITEMS, 1, "How many?", "one", 2),
            ],
        )
        database.executemany(
            "INSERT INTO attempts (id, campaign_id, item_id, key_fingerprint, project, model, "
            "started_at, reserved_tokens, outcome, detail, input_tokens, output_tokens, "
            "thought_tokens, model_version) "
            "VALUES (?, 1, 1, 'k', 'p', ?, 1, 1, '', '', 1, 1, 0, ?)",
            [(1, "asked", ""), (2, "asked-too", "answered")],
        )
        count_pairs(database)
        database.commit()
    return path


def told(pairs):
    return [(pair.filename, pair.question, pair.answer, pair.model) for pair in pairs]


LAST = f"{ITEMS}.jpg"
LAMP = ("7.jpg", "What is it?", "a lamp", "asked")
CHAIR = (LAST, "What is it?", "a chair", "answered")
UNLIT = (LAST, "Is it lit?", "no", "asked")
LIT = (LAST, "Is it lit?", "yes", "answered")
ONE = (LAST, "How many?", "one", "answered")


def test_images_without_pairs_do_not_end_them(path):
    assert told(kept_pairs(path, 1)) == [LAMP, CHAIR, UNLIT]
    assert told(kept_pairs(path, 2)) == [LIT, ONE]


def test_of_several_campaigns_the_first_that_asked_counts(path):
    assert told(kept_pairs(path, 1, 2)) == [LAMP, CHAIR, UNLIT, ONE]
    assert kept_pairs(path, 2, 1) == kept_pairs(path, 1, 2)


@pytest.mark.parametrize("name", ["asked-too", "answered"])
def test_a_model_goes_by_what_was_asked_and_what_answered(path, name):
    assert told(kept_pairs(path, 1, 2, models=[name])) == [CHAIR, LIT, ONE]
