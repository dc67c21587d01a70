"""Files put together blindly: each reader takes them or refuses them in one line."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_a_file_holds_is_taken_or_refused_in_one_line(name: str) -> None:
    target = TARGETS[name]
    pieces = st.lists(st.integers(0, len(target.pieces) - 1), max_size=40)
    put_together = st.builds(target.content, pieces, st.text(max_size=20))
    with TemporaryDirectory() as folder:

        @settings(max_examples=25)
        @given(put_together | st.binary(max_size=60), st.sampled_from(target.suffixes))
        def check(content: bytes, suffix: str) -> None:
            target.check(content, suffix, Path(folder))

        check()
