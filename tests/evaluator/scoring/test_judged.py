"""A judge held against people: its errors are counted, and its share corrected by them."""

import numpy as np
import pytest

from evaluator.scoring.judged import ANSWERS, Held, Judged


def held(rows, judged, *, mild, strict, seed=0):
    """Return a judge that errs so often, and people who judged some of the rows."""
    rng = np.random.default_rng(seed)
    right_N = rng.random(rows) < 0.6
    flips_N = np.where(right_N, rng.random(rows) < strict, rng.random(rows) < mild)
    drawn_N = np.arange(rows) < judged
    return right_N, Held(
        by=ANSWERS,
        units=[f"{row // 2}.jpg" for row in range(rows)],
        passed_N=right_N ^ flips_N,
        said_N=np.ones(rows, dtype=bool),
        drawn_N=drawn_N,
        has_right_N=np.ones(rows, dtype=bool),
        right_N=right_N & drawn_N,
    )


def test_errors_are_counted_on_what_people_judged():
    right_N, all_ = held(400, 100, mild=0.3, strict=0.05)
    check = all_.check()
    told = slice(0, 100)
    assert check.people == 100
    assert check.too_mild == (all_.passed_N & ~right_N)[told].sum()
    assert check.too_strict == (~all_.passed_N & right_N)[told].sum()
    assert check.agreement == pytest.approx(1 - (check.too_mild + check.too_strict) / 100)
    assert check.agreement_ci95[0] < check.agreement < check.agreement_ci95[1]


def test_the_corrected_share_covers_the_truth_where_the_judge_alone_does_not():
    covered, narrower, tries = 0, 0, 60
    for seed in range(tries):
        right_N, all_ = held(1_000, 200, mild=0.3, strict=0.05, seed=seed)
        check = all_.check()
        low, high = check.ci95
        covered += low <= 0.6 <= high
        alone_half = 1.96 * np.sqrt(0.24 / 200)
        narrower += high - low < 2 * alone_half
        assert check.judge_mean > right_N.mean() + 0.03
    assert covered >= 0.87 * tries
    assert narrower >= 0.9 * tries


def test_nobody_judged_nothing_is_corrected():
    assert held(20, 0, mild=0, strict=0)[1].check() is None


def test_one_picture_is_too_little_to_correct_by():
    check = held(40, 2, mild=0, strict=0)[1].check()
    assert check.ci95 is None
    assert check.note().endswith("That is too little to correct its share by.")


def test_the_notes_say_what_is_missing_and_what_people_say():
    check = held(400, 100, mild=0.3, strict=0.05)[1].check()
    judged = Judged(rows=400, unsaid={"the judge is unsure": 3}, check=check)
    held_against, missing = judged.notes()
    assert held_against.startswith("Held against 100 answers that people judged, the judge agrees")
    assert missing == (
        "The judge gave no verdict on 3 of 400 answers, which have no score (the judge is unsure: "
        "3)."
    )
    assert Judged.from_json(judged.to_json()) == judged
