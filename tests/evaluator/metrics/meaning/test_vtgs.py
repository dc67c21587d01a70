"""VTGS and the overlap of regions against plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluator.metrics.meaning.vtgs import jaccard, vtgs


def test_vtgs_is_the_geometric_mean_at_beta_one_half():
    scores = vtgs(np.array([0.64, 1.0, 0.0]), np.array([0.25, 1.0, 0.9]))
    assert scores == pytest.approx([0.4, 1.0, 0.0])


def test_beta_moves_the_weight_from_the_picture_to_the_text():
    text, picture = np.array([0.5]), np.array([0.2])
    assert vtgs(text, picture, beta=1.0) == pytest.approx(text)
    assert vtgs(text, picture, beta=0.0) == pytest.approx(picture)


def test_an_overlap_that_was_not_measured_stays_unknown():
    assert np.isnan(vtgs(np.array([1.0]), np.array([np.nan]))).all()


@given(arrays(np.bool_, (3, 9)), arrays(np.bool_, (3, 9)))
def test_jaccard_equals_sets(left, right):
    expected = []
    for region, other in zip(left, right, strict=True):
        a, b = set(np.flatnonzero(region)), set(np.flatnonzero(other))
        expected.append(len(a & b) / len(a | b) if a | b else 0.0)
    assert jaccard(left, right) == pytest.approx(expected)


@given(st.integers(1, 9))
def test_a_region_overlaps_itself_fully(size):
    region = np.arange(9)[None, :] < size
    assert jaccard(region, region).tolist() == [1.0]
