"""Every job comes with its own photo, in the queue's order; a fault in one reaches that one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from curator import photos
from curator.ledger import WorkItem
from curator.photos import VISITS, PhotoQueue
from curator.work_queue import Job, Queue
from shared.errors import CorruptImage
from shared.records import ImageRef, Listing


def job(number: int) -> WorkItem:
    return WorkItem(number, Listing(f"L{number}", ImageRef("i", f"{number}.jpg")), 0)


async def pages(count: int, size: int = 7) -> AsyncIterator[Sequence[Job]]:
    for start in range(1, count + 1, size):
        yield [job(number) for number in range(start, min(start + size, count + 1))]


def write(folder: Path, count: int) -> None:
    for number in range(1, count + 1):
        Image.new("RGB", (number, 1)).save(folder / f"{number}.jpg")


@pytest.mark.parametrize("ahead", [0, 1, 2, VISITS + 1, 50])
async def test_each_job_has_its_own_photo_and_a_broken_one_troubles_no_other(tmp_path, ahead):
    write(tmp_path, 30)
    (tmp_path / "7.jpg").write_bytes(b"broken")
    queue = PhotoQueue(Queue(pages(30)), tmp_path, ahead)
    taken = [await queue.take() for _ in range(30)]
    assert await queue.take() is None
    assert [one.item_id for one, _ in taken] == list(range(1, 31))
    found = [photo for _, photo in taken]
    assert isinstance(found.pop(6), CorruptImage)
    assert [photo.longest_px for photo in found] == [n for n in range(1, 31) if n != 7]


async def test_workers_that_take_side_by_side_have_each_job_once(tmp_path):
    write(tmp_path, 30)
    queue = PhotoQueue(Queue(pages(30)), tmp_path, 8)
    taken: list[tuple[int, int]] = []

    async def work() -> None:
        while found := await queue.take():
            one, photo = found
            taken.append((one.item_id, photo.longest_px))

    await asyncio.gather(*(work() for _ in range(5)))
    assert sorted(taken) == [(number, number) for number in range(1, 31)]


async def test_no_more_than_asked_for_is_read_ahead(tmp_path, monkeypatch):
    write(tmp_path, 30)
    read: list[str] = []
    prepare = photos.prepare_photo

    def noting(path):
        read.append(path.name)
        return prepare(path)

    monkeypatch.setattr(photos, "prepare_photo", noting)
    queue = PhotoQueue(Queue(pages(30)), tmp_path, 6)
    for _ in range(2):
        await queue.take()
    assert set(read) <= {f"{number}.jpg" for number in range(1, 7)}


async def test_who_is_cancelled_holds_nobody_up(tmp_path):
    write(tmp_path, 2)
    queue = PhotoQueue(Queue(pages(2)), tmp_path, 2)
    leaving, staying = (asyncio.create_task(queue.take()) for _ in "ab")
    for _ in range(5):
        await asyncio.sleep(0)
    leaving.cancel()
    one, photo = await staying
    assert (one.item_id, photo.longest_px) == (2, 2)


async def test_a_bug_reaches_whoever_waits(tmp_path, monkeypatch):
    def broken(path):
        raise ZeroDivisionError

    monkeypatch.setattr(photos, "prepare_photo", broken)
    with pytest.raises(ZeroDivisionError):
        await PhotoQueue(Queue(pages(1)), tmp_path, 2).take()
