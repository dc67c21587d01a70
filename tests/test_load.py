"""A site of ours under many connections: polite ones are answered, and its memory stays."""

from __future__ import annotations

import pytest

from tests.bench.load import loaded, sites


@pytest.mark.slow
async def test_a_site_under_load_answers_and_does_not_grow(tmp_path) -> None:
    (tmp_path / "images").mkdir()
    review = sites(tmp_path)[0]
    seen = await loaded(review, tmp_path, connections=80, seconds=9)
    assert seen.replies["200"] > 100
    assert {what for what in seen.replies if what.startswith("5")} == set()
    assert {what[-3] for what in seen.replies if what.startswith("no request")} == {"4"}
    before, after = seen.memory_mb
    assert after < before + 30
    # Where it is, what comes next, and what was refused in two lines at most.
    assert len((tmp_path / "review.log").read_text().splitlines()) <= 4
