"""A clock that jumps, pictures, catalogues and a rehearsal server for the curator's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curator.rehearsal.script import RehearsalScript
from curator.rehearsal.server import RehearsalServer
from curator.rehearsal.wiring import build_server, read_answers
from shared.clock import SystemClock
from shared.events import set_up_events
from shared.settings import validated
from tests.curator.pictures import write_abo, write_answers
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

    def make(images: Path, **tables: Any) -> RehearsalServer:
        defaults = {
            "images": images,
            "answers": write_answers(images, tmp_path / "answers.csv"),
            "accept_unlisted_keys": True,
        }
        script = validated(RehearsalScript, defaults | tables, source="test")
        return build_server(script, read_answers(script, tmp_path / "thumbnails"), SystemClock())

    return make
