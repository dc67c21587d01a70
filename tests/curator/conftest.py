"""A clock that jumps, pictures, catalogues and a rehearsal server for the curator's tests."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from curator.rehearsal.answer_book import open_answer_book
from curator.rehearsal.faults import FaultPlan, FaultRule
from curator.rehearsal.key_ring import KeyRing, RehearsedKey, UnlistedKeys
from curator.rehearsal.quota_book import Limits, PacificDays, QuotaBook
from curator.rehearsal.server import Latency, RehearsalServer
from shared.clock import SystemClock
from shared.events import set_up_events
from shared.records import QAPair, pair_id


class JumpingClock:
    """A clock on which every sleep is over at once, and took as long as it should."""

    def __init__(self, now: float = 1_780_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture(autouse=True)
def _quiet_events() -> Iterator[None]:
    yield
    set_up_events()


def draw_picture(path: Path, number: int, size: int = 48) -> None:
    """Draw a picture that no other number gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dice = random.Random(number)
    image = Image.new("RGB", (size, size), tuple(dice.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = dice.randrange(size), dice.randrange(size)
        colour = tuple(dice.randrange(256) for _ in range(3))
        pen.rectangle((x, y, x + size // 3, y + size // 4), fill=colour)
    image.save(path)


def write_abo(folder: Path, count: int) -> Path:
    """Write an ABO download of ``count`` listings with one picture each."""
    products, index = [], ["image_id,height,width,path"]
    for number in range(count):
        name = f"{number % 4:02x}/{number:08x}.jpg"
        draw_picture(folder / "images" / "small" / name, number)
        index.append(f"img{number},48,48,{name}")
        products.append(
            {
                "item_id": f"B{number:04}",
                "item_name": [{"language_tag": "en_US", "value": f"thing {number}"}],
                "main_image_id": f"img{number}",
            }
        )
    for path, lines in (
        (folder / "images" / "metadata" / "images.csv.gz", index),
        (folder / "listings" / "metadata" / "listings_0.json.gz", map(json.dumps, products)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


@pytest.fixture
def abo(tmp_path: Path) -> Path:
    """An ABO download of 12 listings."""
    return write_abo(tmp_path / "abo", 12)


def answers_for(images: Path) -> list[QAPair]:
    """Return three valid pairs about each picture in a folder."""
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.jpg"))
    return [
        QAPair(pair_id(name, question), question, f"{word}{at}", name)
        for at, name in enumerate(names)
        for question, word in (
            ("What is the colour of this?", "colour"),
            ("What is shown in the picture?", "thing"),
            ("How many parts can you see?", "number"),
        )
    ]


@pytest.fixture
def rehearsal(tmp_path: Path) -> Callable[..., RehearsalServer]:
    """Make servers that answer about the pictures in a folder."""

    def make(
        images: Path,
        *,
        keys: tuple[RehearsedKey, ...] = (),
        projects: dict[str, Limits] | None = None,
        limits: Limits | None = None,
        faults: tuple[FaultRule, ...] = (),
        models: tuple[str, ...] = (),
        latency_s: float = 0.0,
    ) -> RehearsalServer:
        die = random.Random(1)
        return RehearsalServer(
            answers=open_answer_book(images, answers_for(images), tmp_path / "thumbnails"),
            keys=KeyRing(
                keys,
                projects or {},
                unlisted=UnlistedKeys.ACCEPTED,
                unlisted_limits=limits or Limits(),
            ),
            models=models,
            quotas=QuotaBook(PacificDays()),
            faults=FaultPlan(faults, die),
            latency=Latency(latency_s, 0.0, slow_s=30.0),
            die=die,
            clock=SystemClock(),
        )

    return make
