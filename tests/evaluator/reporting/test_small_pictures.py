"""Small pictures are upright and opaque, and there is none of what is no picture."""

import base64
import io

import pytest
from PIL import Image

from evaluator.reporting.small_pictures import small_picture
from shared.images.source import image_source


def decoded(small) -> Image.Image:
    header, _, body = small.uri.partition(",")
    assert header == "data:image/jpeg;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(body)))
    assert picture.size == (small.width, small.height)
    return picture


def test_the_longest_side_is_160_pixels(tmp_path):
    Image.new("RGB", (800, 400)).save(tmp_path / "a.png")
    assert decoded(small_picture(image_source(str(tmp_path)), "a.png")).size == (160, 80)


def test_small_pictures_are_not_blown_up(tmp_path):
    Image.new("L", (20, 10)).save(tmp_path / "a.png")
    assert decoded(small_picture(image_source(str(tmp_path)), "a.png")).size == (20, 10)


def test_transparent_parts_become_white(tmp_path):
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert (
        min(decoded(small_picture(image_source(str(tmp_path)), "a.png")).getpixel((20, 20))) > 250
    )


def test_pictures_are_turned_as_their_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("RGB", (80, 40)).save(tmp_path / "a.jpg", exif=exif)
    assert decoded(small_picture(image_source(str(tmp_path)), "a.jpg")).size == (40, 80)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0cut"])
def test_what_is_no_picture_has_no_small_picture(content, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    assert small_picture(image_source(str(tmp_path)), "a.jpg") is None
    assert small_picture(image_source(str(tmp_path)), "missing.jpg") is None
