"""What is no whole picture is an error that names the file; what is lost of one is told."""

from __future__ import annotations

import io
import os
import resource
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs

from shared.errors import CorruptImage, StoreUnreachable
from shared.images import decoding
from shared.images.decoding import (
    LARGE_PIXELS,
    decode_image,
    large_pictures_in_turn,
    open_image,
    opened_image,
    read_image_file,
)
from shared.images.pixels import DECODER, LARGEST_PIXELS, opened, rgb
from tests.odd_pictures import COLOURED, GREY, upright

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
CUT = ["plain.jfif", "plain.webp", "plain.avif", "transparent.png", "plain.jp2", "cmyk.tif"]


def of_any_size(width: int, height: int) -> bytes:
    """A PNG of some 60 bytes that says it has so many pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jpg", b"", "empty"),
        ("a.jpg", bytes(512), "empty"),
        ("a.jpg", b"<!DOCTYPE html><title>404</title>", "a web page"),
        ("a.jpg", HEIC, "HEIC is not decoded; convert"),
        ("a.heif", b"anything", r"\.heif is not decoded; convert"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", r"\.svg is not decoded; convert"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"\.eps is not decoded"),
        ("a.jpg", b"not an image", "none of JPEG, PNG"),
        ("a.png", of_any_size(30_000, 30_000), "178 million pixels; scale it down"),
        ("a.png", of_any_size(13_400, 13_400), "178 million pixels; scale it down"),
        ("a.png", of_any_size(20, 20), "truncated"),
    ],
)
def test_what_is_no_picture_says_what_it_is(name, content, reason):
    with pytest.raises(CorruptImage, match=f"{name}: not a readable image .*{reason}"):
        decode_image(content, name)


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.2, 0.7])
def test_a_file_that_was_cut_off_is_named(name, share):
    whole = COLOURED[name]()
    with pytest.raises(CorruptImage, match=name):
        decode_image(whole[: int(share * len(whole))], name)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_are_a_picture_or_a_corrupt_image_and_nothing_else(seed):
    dice = np.random.default_rng(seed)
    for make in (COLOURED | GREY).values():
        content = bytearray(make())
        for place in dice.integers(0, len(content), 6):
            content[place] = int(dice.integers(0, 256))
        try:
            assert decode_image(bytes(content), "a").mode == "RGB"
        except CorruptImage:
            continue


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_header_that_makes_no_sense_leaves_the_picture_as_it_is(exif):
    buffer = io.BytesIO()
    upright().save(buffer, "JPEG", quality=95, exif=exif)
    assert decode_image(buffer.getvalue(), "a").size == upright().size


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_there_is_not_is_none(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    upright().save(buffer, "JPEG", quality=95, exif=exif)
    assert decode_image(buffer.getvalue(), "a").size == upright().size


def test_what_is_not_there_or_is_no_file_is_the_images_fault(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    for name in ("none.jpg", "none.jpg/a.jpg", "folder.jpg", "pipe.jpg", "circle.jpg", "a" * 300):
        with pytest.raises(CorruptImage, match=name):
            open_image(tmp_path / name)
    with pytest.raises(CorruptImage):
        open_image(tmp_path / "a\0.jpg")


def test_what_the_machine_causes_is_not(tmp_path):
    (tmp_path / "a.png").write_bytes(COLOURED["transparent.png"]())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir()) + 1
    opened = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while opened[-1] < in_use:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened[-1] + 1, hard))
        with pytest.raises(StoreUnreachable, match=r"a\.png: cannot be read \(Too many") as refused:
            read_image_file(tmp_path / "a.png")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in opened:
            os.close(number)
    assert isinstance(refused.value.__cause__, OSError)
    assert open_image(tmp_path / "a.png").size == upright().size


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("frames.gif", "several frames"),
        ("frames.webp", "several frames"),
        ("frames.tif", "several frames or pages"),
        ("sixteen.png", "more than 8 bits"),
        ("sixteen-colours.png", "more than 8 bits"),
        ("share.tif", "more than 8 bits"),
    ],
)
def test_what_is_lost_is_told_with_the_name(name, reason):
    decoding._told.clear()
    with capture_logs() as logs:
        for _ in range(10):
            decode_image((COLOURED | GREY)[name](), name)
    assert 1 <= len(logs) <= decoding.TOLD
    assert logs[0]["image"] == name
    assert reason in logs[0]["reason"]


def test_nothing_is_told_of_whole_pictures():
    decoding._told.clear()
    with capture_logs() as logs:
        for name in ("turned-6.jpg", "palette.png", "plain.tiff", "two.mpo", "cmyk.jpg"):
            decode_image(COLOURED[name](), name)
    assert not logs


def test_the_bound_and_the_version_are_stated():
    assert LARGEST_PIXELS == 178_956_970
    assert DECODER >= 2


def test_what_is_rgb_already_is_not_copied():
    with opened(io.BytesIO(COLOURED["plain.jfif"]())) as image:
        assert rgb(image) is image
        assert image.info == {}


def test_a_large_transparent_picture_is_put_on_white_as_a_small_one():
    pixels = np.random.default_rng(0).integers(0, 256, (1_100, 1_000, 4), dtype=np.uint8)
    layer, buffer = Image.fromarray(pixels), io.BytesIO()
    layer.save(buffer, "PNG", compress_level=1)
    white = Image.new("RGBA", layer.size, "white")
    expected = Image.alpha_composite(white, layer).convert("RGB")
    assert decode_image(buffer.getvalue(), "a.png").tobytes() == expected.tobytes()


LARGE = of_any_size(8_193, 8_193)
SMALL = of_any_size(8_192, 8_192)


@pytest.mark.parametrize(
    ("content", "block", "meet"),
    [
        (LARGE, large_pictures_in_turn, False),
        (LARGE, nullcontext, True),
        (SMALL, large_pictures_in_turn, True),
    ],
)
def test_threads_hold_large_pictures_in_turn(content, block, meet):
    assert LARGE_PIXELS == 8_192**2
    meeting = threading.Barrier(2)

    def hold(_):
        with block():
            with opened_image(content, "a.png"):
                pass
            try:
                meeting.wait(timeout=None if meet else 0.05)
            except threading.BrokenBarrierError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(hold, range(2))) == [meet, meet]


def test_a_turn_ends_with_the_outer_block_even_where_the_picture_is_broken():
    def fail(_):
        with large_pictures_in_turn(), large_pictures_in_turn():
            decode_image(LARGE, "a.png")

    with ThreadPoolExecutor(3) as pool:
        for failed in [pool.submit(fail, number) for number in range(3)]:
            assert isinstance(failed.exception(timeout=20), CorruptImage)
