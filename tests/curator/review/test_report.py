"""What is made of people's decisions: verdicts, the fair sample, shares, and agreement."""

from __future__ import annotations

import json
import random

import pytest
from sklearn.metrics import cohen_kappa_score

from curator.ledger.records.review import Decision
from curator.review.agreement import cohens_kappa, krippendorffs_alpha
from curator.review.report import label_error, review_report, share_of_right
from curator.review.report_view import report_line
from curator.review.sample import fair_sample
from curator.review.verdicts import Outcome, verdict_on
from shared.dataset.agreement_rate import wilson_interval
from tests.curator.campaigns import ended, start_process
from tests.curator.review.ledgers import Row, change, filled_ledger
from tests.curator.review.reviewed import reviewed

RED, SAME, BLUE = ({"correction": text} for text in ("Dark red.", "dark red", "blue"))


@pytest.mark.parametrize(
    ("said", "outcome", "correction"),
    [
        ([("A", "accepted")], "accepted", ""),
        ([("A", "rejected")], "rejected", ""),
        ([("A", "corrected", RED)], "corrected", "Dark red."),
        ([("A", "skipped"), ("B", "rejected")], "rejected", ""),
        ([("A", "accepted"), ("B", "rejected")], "disputed", ""),
        ([("A", "accepted"), ("B", "rejected"), ("C", "accepted")], "accepted", ""),
        ([("A", "corrected", RED), ("B", "corrected", SAME)], "corrected", "Dark red."),
        ([("A", "corrected", RED), ("B", "corrected", BLUE)], "disputed", ""),
        ([("A", "rejected"), ("B", "corrected", RED)], "disputed", ""),
        ([("A", "corrected", RED), ("B", "corrected", BLUE), ("C", "accepted")], "disputed", ""),
    ],
)  # fmt: skip
def test_the_majority_decides_and_no_other(said, outcome, correction):
    verdict = verdict_on(reviewed(1, *said))
    assert (verdict.outcome, verdict.correction) == (Outcome(outcome), correction)


def test_who_skipped_a_pair_decided_nothing():
    assert verdict_on(reviewed(1, ("A", "skipped"))) is None
    assert verdict_on(reviewed(1)) is None


def drawn(order: str, position: float, seed: int = 0) -> dict:
    return {"drawn": order, "position": position, "drawn_seed": seed}


def test_the_sample_holds_what_the_random_order_reached_and_nothing_else():
    random_3 = reviewed(1, ("A", "accepted", drawn("random", 0.3)))
    random_6 = reviewed(2, ("A", "accepted", drawn("random", 0.6)))
    before = reviewed(3, ("A", "rejected", drawn("disagreement", 0.5)))
    beyond = reviewed(4, ("A", "rejected", drawn("disagreement", 0.7)))
    some = reviewed(5, ("A", "rejected", drawn("random of some", 0.9)))
    other_seed = reviewed(6, ("A", "rejected", drawn("disagreement", 0.1, seed=7)))
    skipped = reviewed(7, ("A", "skipped", drawn("random", 0.95)))
    pairs = [random_3, random_6, before, beyond, some, other_seed, skipped]
    assert fair_sample(pairs) == [random_3, random_6, before]
    # Of what lies where the sample does, what everybody skipped is told.
    assert review_report(pairs)["sample"]["skipped"] == 0
    hard = reviewed(8, ("A", "skipped", drawn("random", 0.2)), ("B", "skipped"))
    by_another = reviewed(9, ("A", "skipped", drawn("random", 0.2)), ("B", "accepted"))
    report = review_report([*pairs, hard, by_another])
    assert report["sample"]["skipped"] == 1
    assert report_line(report).endswith("by 4 at random, without 1 of these that were only skipped")


def test_a_share_knows_that_pairs_of_an_image_are_not_independent():
    apart = [reviewed(n, ("A", "accepted" if n % 5 else "rejected")) for n in range(100)]
    together = [
        reviewed(n // 5, ("A", "accepted" if n // 5 % 5 else "rejected")) for n in range(100)
    ]
    alone, clustered = share_of_right(apart), share_of_right(together)
    assert alone["share"] == clustered["share"] == 0.8
    assert alone["ci95"] == pytest.approx(wilson_interval(0.8, 100), abs=0.01)
    width = {
        name: each["ci95"][1] - each["ci95"][0] for name, each in (("a", alone), ("c", clustered))
    }
    assert width["c"] > 1.8 * width["a"]
    error = label_error(apart)
    assert error["share"] == pytest.approx(0.2)
    assert error["ci95"] == pytest.approx([1 - alone["ci95"][1], 1 - alone["ci95"][0]])
    assert label_error([]) == {"pairs": 0, "share": None, "ci95": None}


def test_nothing_judged_is_a_report_too():
    report = review_report([])
    assert (report["judged"], report["sample"]["right"]["share"]) == (0, None)
    assert report["agreement"]["people"]["krippendorffs_alpha"] is None
    json.dumps(report, allow_nan=False)


def test_the_report_tells_groups_reasons_reviewers_and_agreement():
    both = {"opinion": "agrees", "agreement": "disagrees"}
    pairs = [
        reviewed(1, ("A", "accepted"), ("B", "accepted"), question="Is it lit?", **both),
        reviewed(2, ("A", "rejected", {"reason": "unfit"}), ("B", "rejected", {"reason": "odd"}),
                 opinion="disagrees", model="gemini-y"),
        reviewed(3, ("A", "accepted"), ("B", "skipped"), opinion="agrees"),
        reviewed(4, ("A", "accepted"), ("B", "corrected", BLUE), opinion="disagrees"),
    ]  # fmt: skip
    report = review_report(pairs)
    assert report["outcomes"] == {"accepted": 2, "corrected": 0, "rejected": 1, "disputed": 1}
    assert report["reasons"] == {"unfit": 1, "odd": 1}
    assert report["reviewers"]["B"] == {"accepted": 1, "rejected": 1, "skipped": 1, "corrected": 1}
    by = report["sample"]["right_by"]
    assert {name: (each["right"], each["pairs"]) for name, each in by["type"].items()} == {
        "yes/no": (1, 1), "colour": (1, 3),
    }  # fmt: skip
    assert by["model"]["gemini-y"]["share"] == 0
    people = report["agreement"]["people"]
    assert (people["judged_by_several"], people["unanimous"]) == (3, 2)
    [two] = people["two_by_two"]
    assert (two["reviewers"], two["pairs"], two["same"]) == (["A", "B"], 3, 2)
    opinion = report["agreement"]["second_opinion"]
    assert (opinion["both_right"], opinion["both_wrong"], opinion["cohens_kappa"]) == (2, 2, 1)
    assert report["agreement"]["listing"]["people_alone_right"] == 1


def test_kappa_is_that_of_scikit_learn():
    dice = random.Random(3)
    pairs = [(dice.choice("abc"), dice.choice("aab")) for _ in range(60)]
    firsts, seconds = zip(*pairs, strict=True)
    assert cohens_kappa(pairs) == pytest.approx(cohen_kappa_score(firsts, seconds))
    assert cohens_kappa([("a", "a")]) is None
    assert cohens_kappa([]) is None


def test_alpha_is_that_of_the_worked_example():
    """K. Krippendorff, Computing Krippendorff's alpha-reliability, 2011, example C: 0.743."""
    observers = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    columns = zip(*(line.split() for line in observers), strict=True)
    units = [
        {str(who): said for who, said in enumerate(column) if said != "."} for column in columns
    ]
    assert krippendorffs_alpha(units) == pytest.approx(0.743, abs=0.001)
    assert krippendorffs_alpha([{"a": "x"}, {"b": "y"}]) is None
    assert krippendorffs_alpha([{"a": "x", "b": "x"}]) is None


async def test_the_commands_tell_what_is_known(tmp_path):
    rows = [Row(item, "What is the color?", "red") for item in range(1, 6)]
    path = filled_ledger(tmp_path / "l.db", rows)
    for item in range(1, 5):
        change(
            path,
            "INSERT INTO reviews VALUES (?, 'What is the color?', 'red', 'Ada', ?, '', ?, 1.0, "
            "'random', 0, 0.5)",
            item,
            Decision.ACCEPTED.value if item < 4 else Decision.REJECTED.value,
            "" if item < 4 else "not_visible",
        )
    told = await ended(await start_process("review", str(path), "--report"))
    assert told.code == 0, told.err
    assert "4 judged (3 accepted, 1 rejected); right: 75.0 % (25.6 to 96.3 %)" in told.out
    assert "not visible: 1" in told.out
    as_json = await ended(await start_process("review", str(path), "--json"))
    status = await ended(await start_process("status", "--ledger", str(path), "--json"))
    reviews = json.loads(as_json.out)["reviews"]
    assert json.loads(status.out)["reviews"] == reviews
    assert reviews[0]["sample"]["right"]["share"] == 0.75
    plain = await ended(await start_process("status", "--ledger", str(path)))
    assert "people: 4 judged (3 accepted, 1 rejected)" in plain.out
