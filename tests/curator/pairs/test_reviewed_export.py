"""Exports after people looked: what they corrected, what is left out, and in which proportions."""

from __future__ import annotations

import csv
import json
from collections import Counter

import pytest

from curator.pairs.balance import Balance
from curator.pairs.reviewed import Choice, ReviewedPairs
from shared.corpus import read_pairs
from shared.questions.types import question_type
from shared.records.pair_rows import PairRow
from tests.curator.campaigns import ended, start_process
from tests.curator.review.ledgers import Row, change, filled_ledger
from tests.curator.review.reviewed import reviewed

ADD = "INSERT INTO reviews VALUES (?, ?, ?, ?, ?, ?, '', 2.0, 'random', 0, ?)"
COLOR = "What is the color of it?"


def pair_of(seen, **more) -> PairRow:
    more = {"answer": seen.answer, "agreement": seen.agreement} | more
    return PairRow(
        id=f"{seen.place.item_id}-{seen.place.number}", question=seen.question,
        filename=seen.image_path, **more,
    )  # fmt: skip


def chosen(judged, pairs, **choice) -> tuple[dict[str, PairRow], Counter]:
    export = ReviewedPairs(judged, Choice(**choice))
    return {pair.id: pair for pair in export.chosen(lambda: pairs)}, export.left_out


def test_people_decide_what_is_written():
    seen = [
        reviewed(1, ("A", "accepted")),
        reviewed(2, ("A", "corrected", {"correction": "blue"})),
        reviewed(3, ("A", "rejected")),
        reviewed(4, ("A", "accepted"), ("B", "rejected")),
        reviewed(5, ("A", "skipped")),
        reviewed(6),
    ]
    pairs = [pair_of(each) for each in seen]
    pairs[1] = pair_of(
        seen[1], agreement="disagrees", second_answer="Blue", second_opinion="disagrees"
    )
    written, left_out = chosen(seen, pairs)
    assert [pair.id for pair in pairs if pair.id not in written] == [pairs[2].id, pairs[3].id]
    corrected = written[pairs[1].id]
    assert (corrected.answer, corrected.label_before_review) == ("blue", "red")
    assert (corrected.agreement, corrected.second_opinion) == ("", "agrees")
    marks = [(pair.label_review, pair.label_sample) for pair in written.values()]
    assert marks == [
        *(("accepted", "without rejected"), ("corrected", "without rejected")),
        *((None, None), (None, None)),
    ]  # fmt: skip
    assert left_out == {"that people rejected": 1, "that people do not agree about": 1}
    only, left_out = chosen(seen, pairs, reviewed=True)
    assert set(only) == {pairs[0].id, pairs[1].id}
    assert left_out["that nobody judged, or only skipped"] == 2
    kept, left_out = chosen(seen, pairs, keeps_rejected=True)
    assert [pair.label_review for pair in kept.values()] == [
        "accepted", "corrected", "rejected", "disputed", None, None,
    ]  # fmt: skip
    assert {pair.label_sample for pair in kept.values()} == {"whole", None}
    assert not left_out


def test_a_least_agreement_holds_for_what_nobody_judged():
    seen = [reviewed(1, ("A", "accepted")), *(reviewed(n) for n in range(2, 6))]
    says = [("disagrees", ""), ("disagrees", ""), ("agrees", "disagrees"), ("agrees", ""), ("", "")]
    pairs = [
        pair_of(each, agreement=listing, second_opinion=opinion)
        for each, (listing, opinion) in zip(seen, says, strict=True)
    ]
    for least, wanted in ((0.0, 5), (0.5, 4), (0.51, 3), (1.0, 3)):
        written, _ = chosen(seen, pairs, min_agreement=least)
        assert len(written) == wanted
    # The judged one is here because of its verdict: it is no fair sample of the others.
    assert chosen(seen, pairs, min_agreement=1.0)[0][pairs[0].id].label_sample is None
    assert chosen(seen, pairs)[0][pairs[0].id].label_sample == "whole"


def test_the_label_error_is_that_of_what_is_exported():
    seen = [reviewed(n, ("A", "rejected" if n > 4 else "accepted")) for n in range(8)]
    export = ReviewedPairs(seen, Choice())
    # As where --model or a campaign leaves out the others.
    assert len(list(export.chosen(lambda: [pair_of(each) for each in seen[:6]]))) == 5
    told = export.described()["label_error"]
    assert (told["pairs"], told["share"]) == (6, pytest.approx(1 / 6))


def questions(**counts: int) -> list[PairRow]:
    texts = {"colour": COLOR, "lit": "Is it lit?", "many": "How many are shown?"}
    texts["form"] = "What shape is it?"
    return [
        PairRow(f"{key}{n}", texts[name], answer, f"{n}.png")
        for key, count in counts.items()
        for name, answer in [key.split("_")]
        for n in range(count)
    ]


def test_frequent_types_are_cut_to_the_rarest_of_them():
    pairs = questions(colour_red=500, lit_yes=300, many_two=200, form_round=3)
    written, left_out = chosen([], pairs, balance=Balance.TYPE)
    kinds = Counter(question_type(pair.question) for pair in written.values())
    assert kinds == {"colour": 200, "yes/no": 200, "count": 200, "shape": 3}
    assert left_out == {"of a frequent type, by --balance": 400}
    assert written == chosen([], pairs[::-1], balance=Balance.TYPE)[0]


def test_frequent_answers_are_cut_within_their_type():
    pairs = [
        *questions(lit_yes=80, colour_red=90, colour_blue=60, colour_mauve=40, many_two=7),
        *(PairRow(f"no{n}", "Is it lit?", "No.", f"n{n}.png") for n in range(30)),
    ]
    written, _ = chosen([], pairs, balance=Balance.ANSWER)
    counts = Counter(pair.answer for pair in written.values())
    assert counts == {"yes": 30, "No.": 30, "red": 40, "blue": 40, "mauve": 40, "two": 7}


@pytest.fixture
def ledger(tmp_path):
    rows = [Row(item, COLOR, "red", "agrees" if item % 2 else "disagrees") for item in range(1, 31)]
    path = filled_ledger(tmp_path / "l.db", rows, images=tmp_path / "images")
    said = {1: ("corrected", "blue"), 2: ("rejected", ""), 3: ("rejected", "")}
    for item in range(1, 11):
        decision, correction = said.get(item, ("accepted", ""))
        change(path, ADD, item, COLOR, "red", "Ada", decision, correction, item / 10)
    return path


async def export(ledger, out, *words):
    result = await ended(
        await start_process("export", "--ledger", str(ledger), "--out", str(out), *words)
    )
    assert result.code == 0, result.err
    return result.out


@pytest.mark.slow
async def test_a_data_set_folder_tells_the_label_error(ledger, tmp_path):
    out = await export(ledger, tmp_path / "set")
    assert "28 pairs in" in out
    assert "left out: 2 pairs that people rejected" in out
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    told = manifest["source"]["reviews"]
    assert told["outcomes"] == {"accepted": 7, "corrected": 1, "rejected": 2, "disputed": 0}
    assert told["label_error"]["share"] == pytest.approx(0.3)
    low, high = told["label_error"]["ci95"]
    assert 0 < low < 0.3 < high < 0.7
    assert told["left_out"] == {"that people rejected": 2}
    pairs = {pair.filename: pair for pair in read_pairs(tmp_path / "set")}
    assert len(pairs) == 28
    assert (pairs["1.png"].answer, pairs["1.png"].label_before_review) == ("blue", "red")
    assert pairs["4.png"].label_sample == "without rejected"
    assert pairs["20.png"].label_review == ""


@pytest.mark.slow
async def test_rejected_pairs_are_kept_for_evaluation_alone(ledger, tmp_path):
    change(ledger, "UPDATE reviews SET decision = 'rejected' WHERE item_id % 2")
    out = await export(ledger, tmp_path / "set", "--keep-rejected")
    pairs = read_pairs(tmp_path / "set")
    rejected = [pair for pair in pairs if not pair.has_right_answer]
    assert rejected
    assert {pair.split for pair in rejected} <= {"validation", "test"}
    missing = 30 - len(pairs)
    assert f"left out: {missing} pairs without a right answer, which would be trained on" in out
    # The sample is whole where its rejected pairs are, and not in the training split.
    marks = {(pair.split == "train", pair.label_sample) for pair in pairs if pair.label_sample}
    assert marks == {(True, "without rejected"), (False, "whole")}


async def test_a_table_holds_what_people_said(ledger, tmp_path):
    await export(ledger, tmp_path / "out.csv", "--reviewed")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["label_review"] for row in rows) == {"accepted": 7, "corrected": 1}
    assert [row["answer"] for row in rows if row["label_before_review"] == "red"] == ["blue"]
    await export(ledger, tmp_path / "less.csv", "--min-agreement", "0.5")
    with (tmp_path / "less.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 8 + 10


async def test_nothing_to_write_is_one_line(ledger, tmp_path):
    change(ledger, "DELETE FROM reviews")
    process = await start_process(
        "export", "--ledger", str(ledger), "--out", str(tmp_path / "set"), "--reviewed"
    )
    result = await ended(process)
    assert result.code == 2
    assert "no pair is left to write" in result.err
    assert not (tmp_path / "set").exists()
