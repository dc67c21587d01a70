"""The curator from Python, also where an event loop runs already, as in a notebook."""

from __future__ import annotations

import asyncio

import pytest

from curator import curate
from shared.errors import InputError, StoppedForNow


async def test_a_campaign_is_run_with_and_without_a_loop_around_it(stage) -> None:
    campaign = await stage()
    asked = {
        "catalog": campaign.catalog,
        "ledger": campaign.ledger,
        "keys": campaign.folder / "keys.txt",
        "endpoint": campaign.url,
        "model": "gemini-3.5-flash-lite",
        "questions": 3,
    }
    # The service stands on this very loop, so that the campaign must not take the thread.
    first = await asyncio.to_thread(curate, **asked, limit=4)
    assert (first.done, first.pending) == (4, 8)
    assert "images done" in first._repr_html_()

    def as_in_a_notebook():
        async def cell():
            return curate(**asked)

        return asyncio.run(cell())

    rest = await asyncio.to_thread(as_in_a_notebook)
    assert (rest.done, rest.pending) == (12, 0)


async def test_what_cannot_be_is_one_error(stage, tmp_path) -> None:
    campaign = await stage()
    with pytest.raises(InputError, match="no such catalogue"):
        curate(tmp_path / "none", tmp_path / "l.db", keys=campaign.folder / "keys.txt")
    with pytest.raises(TypeError, match="limits"):
        curate(tmp_path, tmp_path / "l.db", limits=3)
    for wrong in (
        {"service": "gemini2"},
        {"tier": "fast"},
        {"thinking": "hard"},
        {"limit": 0},
        {"limit": "x"},
        {"verify": 2.0},
        {"timeout_s": float("nan")},
    ):
        [name] = wrong
        with pytest.raises(InputError, match=f"curate: {name}: "):
            curate(campaign.folder, tmp_path / "l.db", keys=campaign.folder / "keys.txt", **wrong)
    assert not (tmp_path / "l.db").exists()
    assert issubclass(StoppedForNow, Exception)
