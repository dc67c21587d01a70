"""Boxes as people write them, and the patches that they take."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.records.boxes import Box, boxes_json, parse_boxes
from shared.records.patches import box_patches

EDGES = st.tuples(*[st.floats(0, 1, allow_subnormal=False)] * 4).filter(
    lambda e: e[0] < e[2] and e[1] < e[3]
)


@given(st.lists(EDGES, max_size=3), st.integers(1, 9), st.integers(1, 9))
def test_patches_are_those_half_covered_and_those_of_the_centres(edges, rows, columns):
    boxes = [Box(*sides) for sides in edges]
    region = box_patches(boxes, rows, columns)
    assert region.shape == (rows, columns)
    for row in range(rows):
        for column in range(columns):
            shares, centred = [0.0], False
            for box in boxes:
                wide = min(box.right * columns, column + 1) - max(box.left * columns, column)
                high = min(box.bottom * rows, row + 1) - max(box.top * rows, row)
                shares.append(max(wide, 0) * max(high, 0))
                x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
                centred |= (int(x * columns), int(y * rows)) == (column, row)
            if abs(max(shares) - 0.5) > 1e-6:
                assert region[row, column] == (max(shares) > 0.5 or centred)


def test_a_speck_takes_one_patch_and_the_whole_picture_all():
    assert box_patches([Box(0.99, 0.99, 1, 1)], 4, 4).nonzero() == (np.array([3]), np.array([3]))
    assert box_patches([Box(0, 0, 1, 1)], 3, 5).all()
    assert not box_patches([], 2, 2).any()


@given(st.lists(EDGES, max_size=3))
def test_boxes_survive_as_text_and_as_a_list(edges):
    boxes = tuple(Box(*sides) for sides in edges)
    assert parse_boxes(boxes_json(boxes)) == boxes
    assert parse_boxes([list(sides) for sides in edges]) == boxes
    assert parse_boxes(json.dumps(edges)) == boxes


@pytest.mark.parametrize("empty", [None, "", "  ", "[]", [], float("nan")])
def test_an_empty_cell_has_no_box(empty):
    assert parse_boxes(empty) == ()


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("left", "`boxes` must be a list of boxes"),
        ("[0.1, 0.2, 0.5, 0.9]", "0.1 is no box"),
        ([[0, 0, 1]], r"\[0, 0, 1\] is no box"),
        ([[0, 0, 1, "1"]], "is no box"),
        ([[0, 0, 1, True]], "is no box"),
        ({"x": 1}, "`boxes` must be a list of boxes"),
        (3.5, "`boxes` must be a list of boxes"),
        ([[12, 30, 120, 200]], "divide left and right by the picture's width"),
        ([[-0.1, 0, 0.5, 0.5]], "must lie between 0 and 1$"),
        ("[[0, NaN, 1, 1]]", "must lie between 0 and 1"),
        ([[0.5, 0.5, 0.2, 0.2]], "not left, top, width, height"),
        ([[0.5, 0.5, 0.5, 0.8]], "has no area"),
    ],
)
def test_what_is_no_box_says_the_way_out(cell, reason):
    with pytest.raises(ValueError, match=reason):
        parse_boxes(cell)
