"""CSV is written as ``csv.writer`` writes it, save that no return ends a row."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.corpus.csv_writing import csv_lines

CELLS = st.one_of(
    st.none(),
    st.text(st.sampled_from('a",\n\r; \0\u2028é😀'), max_size=4),
    st.integers(),
    st.booleans(),
    st.floats(allow_nan=False),
)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def written(columns) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[CELLS] * n), min_size=1)))
def test_lines_are_those_of_csv_and_read_back_as_they_were(rows):
    columns = list(zip(*rows, strict=True))
    lines = csv_lines(columns)
    if "\r" not in lines:
        assert lines == written(columns)
    assert rows_of(lines) == [["" if c is None else str(c) for c in row] for row in rows]


@pytest.mark.parametrize("text", ["a,b", 'a "b"', "a\nb", "", "plain", " , "])
def test_a_text_among_others_is_quoted_where_csv_quotes_it(text):
    columns = [["x", text, "y"], [text, None, "z"]]
    assert csv_lines(columns) == written(columns)
