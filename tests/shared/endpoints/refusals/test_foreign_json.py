"""What is read is what Python's own parser reads, only sooner."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.endpoints.refusals.foreign_json import as_count, loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_any_value_is_read(value):
    assert loads(json.dumps(value)) == value


def told(read: Callable[[str], object], text: str) -> str:
    try:
        return repr(read(text))
    except (ValueError, RecursionError) as error:
        return "ValueError" if isinstance(error, ValueError) else "RecursionError"


def whole(digits: str) -> int | float:
    return int(digits) if -(2**63) <= int(digits) < 2**64 else float(digits)


@given(st.text() | st.text('[]{},:"\\-+.0123456789eEtrufalsn '))
@example('"\\ud83d"')
@example("NaN")
@example("[-Infinity]")
@example("[" * 1500 + "]" * 1500)
@example("[" * 3)
@example("[18446744073709551616, -9223372036854775809, 18446744073709551615]")
def test_whatever_else_it_is_comes_out_as_before(text):
    assert told(loads, text) == told(partial(json.loads, parse_int=whole), text)


@pytest.mark.parametrize(
    ("value", "count"),
    [(3, 3), (-3, 0), ("12", 12), (None, 0), (True, 0), (1.5, 0), ("x", 0), (2**64, 2**53)],
)
def test_a_count_is_a_whole_number(value, count):
    assert as_count(value) == count
