"""Photos come back to whoever asked for them, and a fault in one reaches that one alone."""

from __future__ import annotations

import asyncio

import pytest
from PIL import Image

from curator import photos
from curator.photos import PHOTOS_A_VISIT, VISITS, PhotoReader
from shared.errors import CorruptImage


def test_each_gets_its_own_photo_and_a_broken_one_troubles_no_other(tmp_path):
    count = 2 * VISITS * PHOTOS_A_VISIT + 3
    for number in range(1, count + 1):
        Image.new("RGB", (number, 1)).save(tmp_path / f"{number}.jpg")
    (tmp_path / "7.jpg").write_bytes(b"broken")

    async def read():
        reader = PhotoReader()
        reads = (reader.read(tmp_path / f"{number}.jpg") for number in range(1, count + 1))
        return await asyncio.gather(*reads, return_exceptions=True)

    found = asyncio.run(read())
    assert isinstance(found.pop(6), CorruptImage)
    assert [photo.longest_px for photo in found] == [n for n in range(1, count + 1) if n != 7]


def test_who_is_cancelled_holds_nobody_up(tmp_path):
    Image.new("RGB", (5, 1)).save(tmp_path / "a.jpg")

    async def read():
        reader = PhotoReader()
        leaving, staying = (asyncio.create_task(reader.read(tmp_path / "a.jpg")) for _ in "ab")
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(read()).longest_px == 5


def test_a_bug_reaches_whoever_waits(tmp_path, monkeypatch):
    def broken(path):
        raise ZeroDivisionError

    monkeypatch.setattr(photos, "prepare_photo", broken)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(PhotoReader().read(tmp_path / "a.jpg"))
