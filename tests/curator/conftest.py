"""A clock that jumps, pictures, catalogues and a rehearsal server for the curator's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from curator.catalog import Skipped, open_catalog
from curator.rehearsal.server import RehearsalServer
from shared.program.reporting.events import set_up_events
from tests.curator.campaigns import KEYS, PICTURES, Campaign, rehearsal_of
from tests.curator.pictures import write_abo
from tests.fakes.jumping_clock import JumpingClock


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture(autouse=True)
def _quiet_events() -> Iterator[None]:
    yield
    set_up_events()


@pytest.fixture
def abo(tmp_path: Path) -> Path:
    """An ABO download of 12 listings."""
    return write_abo(tmp_path / "abo", 12)


@pytest.fixture
def rehearsal(tmp_path: Path) -> Callable[..., RehearsalServer]:
    """Make servers that answer about the pictures in a folder, by the tables of a script."""

    return partial(rehearsal_of, tmp_path)


@pytest.fixture
async def stage(tmp_path, rehearsal, capsys):
    """Open a server with the tables of a script and return the campaign against it."""
    servers = []

    async def open_campaign(*keys: str, **tables) -> Campaign:
        catalog = write_abo(tmp_path / "abo", PICTURES)
        folder = tmp_path / "work"
        folder.mkdir()
        (folder / "keys.txt").write_text("\n".join(keys or KEYS))
        server = rehearsal(catalog / "images" / "small", **tables)
        serving = server.serving()
        url = await serving.__aenter__()
        servers.append(serving)
        return Campaign(folder, catalog, server, url, capsys)

    yield open_campaign
    for serving in servers:
        await serving.__aexit__(None, None, None)


@pytest.fixture
def shop(tmp_path):
    """A folder with pictures in ``images``, and a way to read a table beside it."""

    def read(content: str | bytes, *names: str, file: str = "t.csv") -> tuple[list, Skipped]:
        for name in ("unnamed.jpg", *names):
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        path = tmp_path / file
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        skipped = Skipped()
        catalog = open_catalog(path, tmp_path / "images")
        listings = [
            (one.listing_id, one.image.path, dict(one.metadata))
            for one in catalog.listings(skipped)
        ]
        return listings, skipped

    return read
