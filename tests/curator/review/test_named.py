"""`curator review --only`: the rows that a model was not sure of, and no others."""

from __future__ import annotations

import csv

import pytest

from curator.ledger.records.review import PairFilter
from curator.ledger.reviews.candidates import Draw
from curator.review.desk import Desk
from curator.review.named import named_pairs
from curator.review.sitting import Sitting
from shared.errors import InputError
from tests.curator.review.ledgers import Row, filled_ledger

ROWS = [Row(item, question, "red") for item in range(1, 9) for question in ("colour?", "shape?")]


@pytest.fixture
def path(tmp_path):
    return filled_ledger(tmp_path / "l.db", ROWS)


def answered(path, rows, header=("filename", "question", "prediction", "chance", "sure")):
    """Write a file as `evaluator predict --sure` does."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


async def test_only_what_is_not_sure_is_handed_out_and_it_is_no_fair_sample(path, tmp_path, clock):
    rows = [(f"{item}.png", "shape?", "x", 0.5, str(item > 3)) for item in range(1, 9)]
    rows.append(("99.png", "shape?", "x", 0.1, "False"))
    only = named_pairs(answered(tmp_path / "answered.csv", rows), path)
    sitting = Sitting(Desk(path), clock, Draw(only=only))
    handed = await sitting.hand_out(PairFilter(1), sitting.draw.order, "Ada", 50)
    assert sorted((pair.key.item_id, pair.key.question) for pair in handed) == [
        (1, "shape?"),
        (2, "shape?"),
        (3, "shape?"),
    ]
    assert sitting.draw.name == "random of some"
    assert Draw().name == "random"


def test_a_file_that_says_nothing_of_being_sure_counts_whole(path, tmp_path):
    rows = [("1.png", "colour?"), ("2.png", "shape?")]
    file = answered(tmp_path / "some.csv", rows, ("filename", "question"))
    assert named_pairs(file, path) == frozenset(rows)


def test_a_field_of_a_prompt_that_is_called_so_marks_nothing(path, tmp_path):
    rows = [("1.png", "colour?", 0.9), ("2.png", "shape?", 0.1)]
    file = answered(tmp_path / "some.csv", rows, ("filename", "question", "sure"))
    assert named_pairs(file, path) == {row[:2] for row in rows}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("1.png", "colour?", "x", 0.9, "True")], "has no rows that are not sure"),
        ([("x.png", "colour?", "x", 0.1, "False")], "none has the image and question of a pair in"),
    ],
)
def test_a_file_that_names_no_pair_is_one_line(path, tmp_path, rows, told):
    with pytest.raises(InputError, match=told):
        named_pairs(answered(tmp_path / "answered.csv", rows), path)
