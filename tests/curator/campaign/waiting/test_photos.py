"""Every job comes with its own photo, in the queue's order; a fault in one reaches that one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from curator.campaign.waiting import photos
from curator.campaign.waiting.jobs import Job, ListingJob
from curator.campaign.waiting.photos import VISITS, PhotoQueue
from curator.campaign.waiting.queue import Queue
from shared.errors import CorruptImage
from shared.records import ImageRef, Listing


def job(number: int) -> ListingJob:
    return ListingJob(number, Listing(f"L{number}", ImageRef("i", f"{number}.jpg")), 0)


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
    with PhotoQueue(Queue(pages(30)), tmp_path, ahead) as queue:
        taken = [await queue.take() for _ in range(30)]
        assert await queue.take() is None
    assert [one.item_id for one, _ in taken] == list(range(1, 31))
    found = [photo for _, photo in taken]
    assert isinstance(found.pop(6), CorruptImage)
    assert [photo.longest_px for photo in found] == [n for n in range(1, 31) if n != 7]


async def test_workers_that_take_side_by_side_have_each_job_once(tmp_path):
    write(tmp_path, 30)
    taken: list[tuple[int, int]] = []

    async def work(queue: PhotoQueue) -> None:
        while found := await queue.take():
            one, photo = found
            taken.append((one.item_id, photo.longest_px))

    with PhotoQueue(Queue(pages(30)), tmp_path, 8) as queue:
        await asyncio.gather(*(work(queue) for _ in range(5)))
    assert sorted(taken) == [(number, number) for number in range(1, 31)]


async def test_no_more_than_asked_for_is_read_ahead(tmp_path, monkeypatch):
    write(tmp_path, 30)
    read: list[str] = []
    prepare = photos.prepare_photo

    def noting(path, wanted):
        read.append(Path(path).name)
        return prepare(path, wanted)

    monkeypatch.setattr(photos, "prepare_photo", noting)
    with PhotoQueue(Queue(pages(30)), tmp_path, 6) as queue:
        for _ in range(2):
            await queue.take()
    assert set(read) <= {f"{number}.jpg" for number in range(1, 7)}


async def test_who_is_cancelled_holds_nobody_up(tmp_path):
    write(tmp_path, 2)
    with PhotoQueue(Queue(pages(2)), tmp_path, 2) as queue:
        leaving, staying = (asyncio.create_task(queue.take()) for _ in "ab")
        for _ in range(5):
            await asyncio.sleep(0)
        leaving.cancel()
        one, photo = await staying
    assert (one.item_id, photo.longest_px) == (2, 2)


async def test_a_bug_reaches_whoever_waits(tmp_path, monkeypatch):
    def broken(path, wanted):
        raise ZeroDivisionError

    monkeypatch.setattr(photos, "prepare_photo", broken)
    with PhotoQueue(Queue(pages(1)), tmp_path, 2) as queue, pytest.raises(ZeroDivisionError):
        await queue.take()


async def test_at_the_end_nothing_more_is_read_and_nobody_waits(tmp_path, monkeypatch):
    write(tmp_path, 30)
    read: list[str] = []
    goes_on = threading.Event()

    def slow(path, wanted):
        read.append(Path(path).name)
        goes_on.wait(20)

    monkeypatch.setattr(photos, "prepare_photo", slow)
    with PhotoQueue(Queue(pages(30)), tmp_path, 24) as queue:
        taking = asyncio.create_task(queue.take())
        while len(read) < VISITS:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        taking.cancel()
    goes_on.set()
    queue._threads.shutdown(wait=True)
    assert len(read) == VISITS
