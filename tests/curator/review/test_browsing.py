"""What a filter lets through, and that pages neither lose nor repeat a pair."""

from __future__ import annotations

import pytest

from curator.ledger.database.plain import reading
from curator.ledger.records.review import PairFilter, Place, Shown
from curator.ledger.reviews.browsing import count_pairs, facets, pair_page
from tests.curator.review.ledgers import Row, change, filled_ledger

ROWS = [
    Row(1, "What is the color of the shoe?", "red", "agrees", "red"),
    Row(1, "How many heels are shown?", "one", "", "two"),
    Row(2, "What is the colour of the lamp?", "50% blue_ish", "disagrees", None, "gemini-y"),
    Row(2, "Is the lamp lit?", "yes", "unknown"),
    Row(9, "What is the color of the rug?", "RED", "unknown", campaign=2),
]


@pytest.fixture
def path(tmp_path):
    return filled_ledger(tmp_path / "l.db", ROWS)


def seen(path, **wanted) -> list[str]:
    with reading(path) as connection:
        wanted = {"campaign_id": 1} | wanted
        page = pair_page(connection, PairFilter(**wanted), Place(), 50)
        assert count_pairs(connection, PairFilter(**wanted), Place()) == (len(page.pairs), None)
    assert page.after is None
    return [pair.answer for pair in page.pairs]


@pytest.mark.parametrize(
    ("wanted", "answers"),
    [
        ({}, ["red", "one", "50% blue_ish", "yes"]),
        ({"campaign_id": 2}, ["RED"]),
        ({"question": "COLOR"}, ["red"]),
        ({"answer": "e"}, ["red", "one", "50% blue_ish", "yes"]),
        # What LIKE takes for any text is text.
        ({"answer": "%"}, ["50% blue_ish"]),
        ({"answer": "0_"}, []),
        ({"answer": "\\"}, []),
        ({"listing": "b002"}, ["50% blue_ish", "yes"]),
        ({"listing": "thing 1"}, ["red", "one"]),
        ({"listing": "2.png"}, ["50% blue_ish", "yes"]),
        ({"listing": "GRÖSSER"}, ["red", "one", "50% blue_ish", "yes"]),
        ({"search": "lamp thing"}, ["50% blue_ish", "yes"]),
        ({"search": "lamp heels"}, []),
        ({"model": "gemini-y"}, ["50% blue_ish"]),
        ({"kind": "colour"}, ["red", "50% blue_ish"]),
        ({"kind": "yes/no"}, ["yes"]),
        ({"agreement": "unknown"}, ["yes"]),
        ({"opinion": "agrees"}, ["red"]),
        ({"opinion": "disagrees"}, ["one"]),
        ({"opinion": "none"}, ["50% blue_ish", "yes"]),
        ({"kind": "colour", "opinion": "none", "model": "gemini-x"}, []),
    ],
)
def test_a_filter_lets_through_what_it_describes(path, wanted, answers):
    assert seen(path, **wanted) == answers


def test_pages_follow_each_other_whatever_their_length(tmp_path):
    rows = [Row(item, f"Question {n}?", f"{item}-{n}") for item in range(1, 30) for n in range(3)]
    path = filled_ledger(tmp_path / "l.db", rows)
    wanted = PairFilter(1)
    for limit, most_items in ((1, 100), (4, 5), (50, 1), (200, 100)):
        after, answers = Place(), []
        with reading(path) as connection:
            while after is not None:
                page = pair_page(connection, wanted, after, limit, most_items)
                answers += [pair.answer for pair in page.pairs]
                after = page.after
        assert answers == [row.answer for row in rows], (limit, most_items)


def test_a_page_that_looks_at_a_stretch_without_pairs_says_where_to_go_on(tmp_path):
    rows = [Row(item, "Which?", "found" if item == 900 else "no") for item in range(1, 1001)]
    path = filled_ledger(tmp_path / "l.db", rows)
    with reading(path) as connection:
        after, turns, answers = Place(), 0, []
        while after is not None:
            page = pair_page(connection, PairFilter(1, answer="found"), after, 10, most_items=100)
            answers += [pair.place.item_id for pair in page.pairs]
            after, turns = page.after, turns + 1
            assert page.looked_at <= 100
    assert (answers, turns) == ([900], 10)


def test_images_without_pairs_are_shown_with_their_reason(path):
    change(path, "UPDATE work SET state = 2, reason = 'safety' WHERE item_id = 2")
    change(path, "INSERT INTO rejected_pairs VALUES (1, 1, 1, 1, 'refusal', 'What is it?', 'none')")
    with reading(path) as connection:
        [dead] = pair_page(connection, PairFilter(1, Shown.GIVEN_UP), Place(), 9).pairs
        [refused] = pair_page(connection, PairFilter(1, Shown.REFUSED), Place(), 9).pairs
        assert pair_page(connection, PairFilter(1, Shown.WAITING), Place(), 9).pairs == ()
        wanted = PairFilter(1, Shown.REFUSED, rule="word_count")
        assert pair_page(connection, wanted, Place(), 9).pairs == ()
        [first, second] = facets(connection)
    assert (dead.listing_id, dead.reason, dead.question) == ("B002", "safety", "")
    assert (refused.rule, refused.answer, refused.model) == ("refusal", "none", "gemini-x")
    assert (first.models, first.rules) == ({"gemini-x": 3, "gemini-y": 1}, {"refusal": 1})
    assert (second.campaign_id, second.pairs, second.images) == (2, 1, 1)
