"""Intervals and p-values, and whether they keep what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from evaluator.comparing.significance import holm, mcnemar_exact, paired_difference

IMAGES, QUESTIONS, RUNS = 80, 5, 400
NAMES = [f"{row // QUESTIONS}.jpg" for row in range(IMAGES * QUESTIONS)]


def simulated_gains(generator, effect: float):
    """Differences of right and wrong in which a picture's questions go together."""
    leaning = generator.normal(0, 0.25, IMAGES).repeat(QUESTIONS)
    better = np.clip(0.2 + (leaning + effect) / 2, 0, 0.5)
    worse = np.clip(0.2 - (leaning + effect) / 2, 0, 0.5)
    drawn = generator.random(IMAGES * QUESTIONS)
    return (drawn < better).astype(np.float64) - (drawn > 1 - worse)


@pytest.fixture(scope="module")
def under_the_null():
    generator = np.random.default_rng(5)
    return [simulated_gains(generator, 0.0) for _ in range(RUNS)]


def test_one_in_twenty_p_values_is_below_five_percent_where_nothing_differs(under_the_null):
    differences = [paired_difference(gains, NAMES, resamples=800) for gains in under_the_null]
    share = np.mean([difference.p_value < 0.05 for difference in differences])
    # 0.05 give or take two and a half deviations of a share of 400, and what a percentile lacks.
    assert 0.02 <= share <= 0.08
    # Halves, not only tails: a p-value under the null is as often below a half as above.
    assert 0.4 <= np.mean([difference.p_value < 0.5 for difference in differences]) <= 0.6
    for difference in differences:
        near = difference.p_value == pytest.approx(0.05, abs=0.005)
        assert near or (difference.p_value < 0.05) == difference.is_clear


def test_taking_rows_for_independent_would_find_differences_where_none_are(under_the_null):
    rows = [str(row) for row in range(len(NAMES))]
    naive = [
        paired_difference(gains, rows, resamples=400).p_value for gains in under_the_null[:150]
    ]
    assert np.mean(np.array(naive) < 0.05) > 0.09


def test_the_interval_holds_the_true_difference_nineteen_times_in_twenty():
    generator = np.random.default_rng(6)
    truth = np.mean([simulated_gains(generator, 0.1).mean() for _ in range(4000)])
    held = 0
    for _ in range(RUNS):
        low, high = paired_difference(simulated_gains(generator, 0.1), NAMES, resamples=800).ci95
        held += low <= truth <= high
    assert 0.92 <= held / RUNS <= 0.98


def test_a_real_difference_is_found():
    gains = np.tile([1.0, 0.0, 0.0, 0.0, 0.0], IMAGES)
    difference = paired_difference(gains, NAMES)
    assert difference.mean == pytest.approx(0.2)
    assert difference.is_clear
    assert difference.p_value < 0.001


def test_one_image_says_nothing_about_others():
    difference = paired_difference(np.array([1.0, 1.0]), ["a.jpg", "a.jpg"])
    assert (difference.mean, difference.ci95, difference.p_value) == (1.0, None, None)
    assert not difference.is_clear
    with pytest.raises(ValueError, match="at least one row"):
        paired_difference(np.zeros(0), [])


def each_for_itself(rows):
    return [str(number) for number in range(len(rows))]


def test_mcnemar_is_the_exact_binomial_test():
    # 10 against 2: 2 * (1 + 12 + 66) / 4096.
    base = np.array([True] * 2 + [False] * 10 + [True] * 30)
    other = np.array([False] * 2 + [True] * 10 + [True] * 30)
    test = mcnemar_exact(base, other, each_for_itself(base))
    assert (test.only_base, test.only_other) == (2, 10)
    assert test.p_value == pytest.approx(2 * (1 + 12 + 66) / 4096)
    assert mcnemar_exact(base, base, each_for_itself(base)).p_value == 1.0


@pytest.mark.parametrize("alone", [1, 5, 40])
def test_mcnemar_is_surest_of_no_difference_where_both_are_right_alone_as_often(alone):
    # Other programs' corrected test is not: findings/README.md.
    p_values = []
    for other in range(alone, 4 * alone + 8):
        base = np.arange(alone + other) < alone
        p_values.append(mcnemar_exact(base, ~base, each_for_itself(base)).p_value)
    assert p_values[0] == 1.0
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[-1] < 0.05


def test_mcnemar_keeps_its_level_for_independent_rows():
    generator = np.random.default_rng(7)
    rejected = 0
    for _ in range(RUNS):
        base, other = generator.random((2, 200)) < 0.5
        rejected += mcnemar_exact(base, other, each_for_itself(base)).p_value < 0.05
    assert 0.01 <= rejected / RUNS <= 0.06  # exact, so rather below five percent


def test_rows_of_one_unit_change_sides_together():
    # Three units of two rows, all gained: of the 8 ways to swap, 2 come out as far from zero.
    base, other = np.zeros(6, dtype=np.bool_), np.ones(6, dtype=np.bool_)
    assert mcnemar_exact(base, other, list("aabbcc")).p_value == pytest.approx(2 / 8)
    # Units of 2, 1 and 1 rows, the last lost: sums 2 + 1 - 1; at least 2 in 6 of 8.
    other = np.array([True, True, True, False])
    base = np.array([False, False, False, True])
    assert mcnemar_exact(base, other, list("aabc")).p_value == pytest.approx(6 / 8)


def test_by_units_it_is_the_permutation_test_with_all_permutations():
    generator = np.random.default_rng(12)
    units = np.arange(48) // 4
    base, other = generator.random(48) < 0.4, generator.random(48) < 0.6
    gains = np.bincount(units, weights=other.astype(int) - base.astype(int))
    expected = permutation_test(
        (gains,),
        lambda gains, axis: gains.sum(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert 0.01 < expected.pvalue < 0.9
    test = mcnemar_exact(base, other, [str(unit) for unit in units])
    assert test.p_value == pytest.approx(expected.pvalue)


def test_mcnemar_keeps_its_level_for_rows_that_go_together():
    generator = np.random.default_rng(11)
    units = [str(number // 5) for number in range(200)]
    rejected = 0
    for _ in range(RUNS):
        base, other = np.repeat(generator.random((2, 40)) < 0.5, 5, axis=1)
        rejected += mcnemar_exact(base, other, units).p_value < 0.05
    assert 0.005 <= rejected / RUNS <= 0.06


def test_holm_on_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values):
    corrected = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    pairs = sorted(zip(p_values, corrected, strict=True))
    assert [q for _, q in pairs] == sorted(corrected)
