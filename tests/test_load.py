"""A site of ours under many connections: polite ones are answered, and its memory stays."""

from __future__ import annotations

import pytest

from tests.bench.load import loaded, sites


@pytest.mark.slow
@pytest.mark.parametrize("name", ["review", "status"])
async def test_a_site_under_load_answers_and_does_not_grow(tmp_path, name) -> None:
    (tmp_path / "images").mkdir()
    with sites(tmp_path, 6) as found:
        [site] = [each for each in found if each.name == name]
        seen = await loaded(site, tmp_path, connections=80, seconds=6)
    assert seen.replies["200"] > 100
    assert {what for what in seen.replies if what.startswith("5")} == set()
    assert {what[-3] for what in seen.replies if what.startswith("no request")} == {"4"}
    before, after = seen.memory_mb
    assert after < before + 30
    # What was refused is told in two lines at most.
    log = (tmp_path / f"{name}.log").read_text().splitlines()
    assert sum("no_http_requests" in line for line in log) <= 2
    assert not any("Traceback" in line for line in log)
