"""What is told of a JPEG without Pillow is what Pillow tells, of whatever bytes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shared.images.jpeg_header import plain_jpeg_size
from shared.images.pixels import UnreadablePicture, opened, orientation
from tests.odd_pictures import COLOURED, GREY

CATALOGUE = Path(__file__).parents[4] / "shared" / "abo" / "images"
TURNED = b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='6' tiff:Orientation=\"6\"/>"


def saved(mode: str = "RGB", size: tuple[int, int] = (40, 24), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, 90).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def plain_by_pillow(content: bytes) -> tuple[int, int] | None:
    try:
        with opened(io.BytesIO(content)) as image:
            is_plain = image.format == "JPEG" and image.mode == "RGB" and orientation(image) == 1
            return image.size if is_plain else None
    except UnreadablePicture:
        return None


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


PLAIN = (
    saved(),
    saved(progressive=True),
    saved(optimize=True, comment=b"a lamp"),
    saved(quality=100, subsampling=0, dpi=(300, 300)),
    saved(restart_marker_blocks=1),
)


@pytest.mark.parametrize("content", PLAIN)
def test_the_size_of_an_upright_jpeg_of_three_colours_is_known(content):
    assert plain_jpeg_size(content) == (40, 24)


@pytest.mark.parametrize("name", sorted(COLOURED | GREY))
def test_what_is_said_of_an_odd_picture_is_what_pillow_says(name):
    content = (COLOURED | GREY)[name]()
    assert plain_jpeg_size(content) in {None, plain_by_pillow(content)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8\xff",
        saved("L"),
        saved("CMYK"),
        saved()[:2] + segment(0xE1, TURNED) + saved()[2:],
        COLOURED["turned-6.jpg"](),
        COLOURED["two.mpo"](),
    ],
    ids=["nothing", "a start", "grey", "cmyk", "turned by XMP", "turned by EXIF", "two pictures"],
)
def test_nothing_is_said_of_others(content):
    assert plain_jpeg_size(content) is None


@pytest.mark.parametrize("content", PLAIN[:2])
def test_nothing_is_said_where_the_header_is_cut_off(content):
    scan = content.index(b"\xff\xda")
    assert all(plain_jpeg_size(content[:length]) is None for length in range(scan + 4))


MARKERS = st.sampled_from([*range(0xC0, 0xD0), *range(0xD8, 0xF0), 0xFE, 0xFF, 0x00, 0x01])
STARTS = st.sampled_from(
    [
        b"",
        b"JFIF\0",
        b"Adobe\0",
        b"Exif\0\0",
        b"MPF\0",
        b"ICC_PROFILE\0",
        b"Photoshop 3.0\0",
        TURNED,
    ]
)


@given(
    st.sampled_from(PLAIN),
    st.lists(st.tuples(MARKERS, STARTS, st.binary(max_size=80)), max_size=3),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=4),
    st.integers(0, 700),
)
def test_of_damaged_and_odd_headers_nothing_is_said_that_pillow_denies(base, more, changes, cut):
    parts = [segment(marker, start + rest) for marker, start, rest in more]
    content = bytearray(base[:2] + b"".join(parts) + base[2:])
    for place, value in changes:
        content[place % len(content)] = value
    told = plain_jpeg_size(bytes(content[: len(content) - cut]))
    assert told in {None, plain_by_pillow(bytes(content[: len(content) - cut]))}


def test_all_photos_of_the_catalogue_have_the_size_that_pillow_tells():
    if not CATALOGUE.is_dir():
        pytest.skip("the catalogue's pictures are not here")
    for path in sorted(CATALOGUE.rglob("*.jpg"))[::40]:
        content = path.read_bytes()
        assert plain_jpeg_size(content) == plain_by_pillow(content), path
