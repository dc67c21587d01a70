from __future__ import annotations

import io

import pytest
from PIL import Image

from shared.endpoints.image_encoding import photo_of, prepare_photo
from shared.errors import CorruptImage


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    assert image.format == "JPEG"
    assert image.mode == "RGB"
    return image


def test_a_small_jpeg_is_passed_on_as_it_is(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (256, 100), "red").save(path)
    photo = prepare_photo(path)
    assert photo.jpeg == path.read_bytes()
    assert photo.longest_px == 256


@pytest.mark.parametrize("more", [b"\0\0\0", b"what a camera adds"])
def test_what_follows_the_end_of_a_jpeg_does_no_harm(tmp_path, more):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (256, 100), "red").save(path)
    path.write_bytes(path.read_bytes() + more)
    assert prepare_photo(path).jpeg == path.read_bytes()


@pytest.mark.parametrize(("size", "wanted"), [((2000, 1000), (512, 256)), ((300, 900), (171, 512))])
def test_a_large_image_is_scaled_to_512(tmp_path, size, wanted):
    Image.new("RGB", size, "red").save(tmp_path / "a.jpg")
    photo = prepare_photo(tmp_path / "a.jpg")
    assert opened(photo.jpeg).size == wanted
    assert photo.longest_px == 512


def test_transparency_becomes_white_and_orientation_upright(tmp_path):
    Image.new("RGBA", (40, 20), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert opened(prepare_photo(tmp_path / "a.png").jpeg).getpixel((3, 3)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(tmp_path / "b.jpg", exif=exif)
    assert opened(prepare_photo(tmp_path / "b.jpg").jpeg).size == (20, 40)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "I;16", "LA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = "tiff" if mode == "CMYK" else "png"
    Image.new(mode, (20, 20)).save(tmp_path / f"a.{suffix}")
    assert opened(prepare_photo(tmp_path / f"a.{suffix}").jpeg).size == (20, 20)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0broken"])
def test_broken_files_are_corrupt_images(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(CorruptImage, match=r"a\.jpg"):
        prepare_photo(path)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_a_corrupt_image(tmp_path, progressive, kept):
    path = tmp_path / "a.jpg"
    Image.effect_noise((200, 200), 50).convert("RGB").save(path, progressive=progressive)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CorruptImage):
        prepare_photo(path)


def test_a_missing_file_is_a_corrupt_image(tmp_path):
    with pytest.raises(CorruptImage, match="no such image"):
        prepare_photo(tmp_path / "none.jpg")


@pytest.mark.parametrize(("longest_px", "size"), [(1024, (900, 300)), (300, (300, 100))])
def test_a_picture_is_no_larger_than_asked(longest_px, size):
    buffer = io.BytesIO()
    Image.new("RGB", (900, 300), "red").save(buffer, "PNG")
    photo = photo_of(buffer.getvalue(), "red.png", longest_px)
    with Image.open(io.BytesIO(photo.jpeg)) as image:
        assert (image.format, image.size) == ("JPEG", size)
    assert photo.longest_px == max(size)
