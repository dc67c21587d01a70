"""Near-identical images are asked about once, and all of them again where that is wanted."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from tests.curator.campaigns import PICTURES

COPIES = 4


def copied(images: Path, count: int) -> None:
    """Save the first pictures anew, under other names, as shops do."""
    for number, path in enumerate(sorted(images.rglob("*.jpg"))[:count]):
        with Image.open(path) as picture:
            picture.save(images / f"copy{number}.jpg", quality=85)


@pytest.fixture
async def twins(stage):
    """A folder of pictures, four of which are there twice, against a server that makes answers."""
    campaign = await stage(answers=None)
    images = campaign.catalog / "images" / "small"
    copied(images, COPIES)
    return campaign, images


def asked_paths(campaign) -> set[str]:
    with closing(sqlite3.connect(campaign.ledger)) as database:
        statement = "SELECT image_path FROM attempts JOIN items ON items.id = attempts.item_id"
        return {path for (path,) in database.execute(statement)}


async def test_one_of_each_look_is_asked_about(twins):
    campaign, images = twins
    ended = await campaign.run(catalog=images, once_per_look=True)
    assert ended.code == 0, ended.err
    assert campaign.requests == PICTURES
    status = await campaign.status()
    assert (status["progress"]["total"], status["alike"]) == (PICTURES, COPIES)
    assert "4 images look like one that is asked about" in (await campaign.command("status")).out
    exported = await campaign.command("export", "--out", str(campaign.folder / "qa.csv"))
    assert "left out: 4 images like another one" in exported.out


async def test_the_same_command_asks_nothing_more_and_reads_no_image_again(twins):
    campaign, images = twins
    await campaign.run(catalog=images, once_per_look=True, limit=5)
    first = asked_paths(campaign)
    with closing(sqlite3.connect(campaign.ledger)) as database:
        seen = database.execute("SELECT * FROM looks").fetchall()
    await campaign.run(catalog=images, once_per_look=True)
    again = await campaign.run(catalog=images, once_per_look=True)
    assert (again.code, campaign.requests) == (0, PICTURES)
    assert first < asked_paths(campaign)
    with closing(sqlite3.connect(campaign.ledger)) as database:
        assert database.execute("SELECT * FROM looks").fetchall() == seen
    assert len(seen) == PICTURES + COPIES


async def test_without_it_the_others_are_asked_about_too(twins):
    campaign, images = twins
    await campaign.run(catalog=images, once_per_look=True)
    ended = await campaign.run(catalog=images)
    assert (ended.code, campaign.requests) == (0, PICTURES + COPIES)
    status = await campaign.status()
    assert (status["progress"]["done"], status["alike"]) == (PICTURES + COPIES, 0)


async def test_what_was_asked_already_stands_for_its_look(twins):
    """Twins that were both asked stay; of others, the one that was asked counts."""
    campaign, images = twins
    await campaign.run(catalog=images, limit=3)
    already = asked_paths(campaign)
    await campaign.run(catalog=images, once_per_look=True)
    with closing(sqlite3.connect(campaign.ledger)) as database:
        rows = database.execute(
            "SELECT image_path, reason FROM work JOIN items ON items.id = item_id WHERE state = 3"
        ).fetchall()
    assert {path for path, _ in rows} & already == set()
    assert all(reason.startswith("looks like ") for _, reason in rows)


async def test_an_image_that_cannot_be_read_is_nobodys_twin(twins):
    campaign, images = twins
    for name in ("copy0.jpg", "copy1.jpg"):
        (images / name).write_bytes(b"no picture")
    ended = await campaign.run(catalog=images, once_per_look=True)
    assert ended.code == 0, ended.err
    status = await campaign.status()
    assert (status["alike"], status["progress"]["dead"]) == (COPIES - 2, 2)
    assert json.dumps(status["given_up"])
