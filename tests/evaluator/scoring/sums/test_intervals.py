"""The bootstrap over images."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from evaluator.scoring.sums.intervals import bootstrap_means, percentile_interval


def test_means_equal_a_plain_resampling_with_the_same_draws():
    generator = np.random.default_rng(3)
    counts = generator.integers(1, 6, size=(40, 1)).astype(float)
    sums = counts * generator.random((40, 1))
    means = bootstrap_means(sums, counts, resamples=7, seed=5)
    drawn = np.random.default_rng(5).integers(40, size=(7, 40))
    expected = [sum(sums[i, 0] for i in row) / sum(counts[i, 0] for i in row) for row in drawn]
    assert means[:, 0] == pytest.approx(expected)


def test_the_interval_is_that_of_scipy_with_the_same_seed():
    generator = np.random.default_rng(8)
    counts = generator.integers(1, 6, size=300).astype(float)
    sums = generator.binomial(counts.astype(int), 0.3).astype(float)
    means = bootstrap_means(sums[:, None], counts[:, None], resamples=500, seed=4)

    def mean(sums, counts, axis=-1):
        return sums.sum(axis=axis) / counts.sum(axis=axis)

    expected = bootstrap(
        (sums, counts),
        mean,
        paired=True,
        n_resamples=500,
        method="percentile",
        rng=np.random.default_rng(4),
    )
    assert percentile_interval(means[:, 0]) == pytest.approx(
        expected.confidence_interval, abs=1e-12
    )


def test_rows_of_one_image_are_not_taken_for_independent():
    # 20 images whose 10 rows agree with each other are worth 20 observations, not 200.
    right = np.arange(20) % 2
    by_image = bootstrap_means(right[:, None] * 10.0, np.full((20, 1), 10.0))
    by_row = bootstrap_means(np.repeat(right, 10)[:, None] * 1.0, np.ones((200, 1)))
    low, high = percentile_interval(by_image[:, 0])
    low_rows, high_rows = percentile_interval(by_row[:, 0])
    assert (high - low) > 2.5 * (high_rows - low_rows)


def test_the_interval_holds_its_level_on_a_known_population():
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        scores = (generator.random((60, 1)) < 0.4).astype(float)
        means = bootstrap_means(scores, np.ones_like(scores), resamples=300)
        low, high = percentile_interval(means[:, 0])
        hits += low <= 0.4 <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_resamples_without_the_group_are_left_out():
    means = bootstrap_means(np.array([[1.0], [0.0]]), np.array([[1.0], [0.0]]), resamples=50)
    assert np.isnan(means).any()
    assert percentile_interval(means[:, 0]) == (1.0, 1.0)
    assert percentile_interval(np.full(5, np.nan)) is None
