"""The same picture in every form in which real files hold it, and the pixels that it has."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

WIDTH: Final = 96
HEIGHT: Final = 64
ORIENTATION: Final = 0x0112
STORED_BY: Final = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera that was held so stores what stands upright (CIPA DC-008, 4.6.4.A)."""

COLOURS: Final = {
    "ground": (255, 255, 255),
    "left": (200, 30, 40),
    "top": (30, 140, 60),
    "spot": (40, 60, 190),
}


def upright() -> Image.Image:
    """Draw blocks on white that no turn and no mirror maps to themselves."""
    picture = np.full((HEIGHT, WIDTH, 3), 255, dtype=np.uint8)
    picture[8:56, 8:32] = COLOURS["left"]
    picture[8:24, 32:80] = COLOURS["top"]
    picture[40:56, 48:64] = COLOURS["spot"]
    return Image.fromarray(picture)


def grey() -> Image.Image:
    """Return the same picture without its colours."""
    level = np.asarray(upright().convert("L"))
    return Image.fromarray(level)


def _bytes(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _turned(number: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = number
    way = STORED_BY[number]
    stored = upright() if way is None else upright().transpose(way)
    return _bytes(stored, "JPEG", quality=95, exif=exif)


def _ground() -> np.ndarray:
    return (np.asarray(upright()) == 255).all(axis=2)


def see_through(hidden: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    """Return the picture with its white ground cut out; ``hidden`` lies beneath."""
    pixels = np.asarray(upright().convert("RGBA")).copy()
    pixels[_ground()] = (*hidden, 0)
    return Image.fromarray(pixels)


def _palette() -> bytes:
    indices = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    pixels = np.asarray(upright())
    palette = [5, 5, 5]
    for number, name in enumerate(("left", "top", "spot"), start=1):
        indices[(pixels == COLOURS[name]).all(axis=2)] = number
        palette += COLOURS[name]
    picture = Image.fromarray(indices, "L")
    picture = picture.convert("P")
    picture.putpalette(palette)
    picture.putdata(indices.ravel().tolist())
    return _bytes(picture, "PNG", transparency=0)


def _png(depth: int, colour_type: int, rows: bytes, *more: tuple[bytes, bytes]) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def _rows(values: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)


def _grey_16() -> np.ndarray:
    return np.asarray(grey()).astype(np.uint16) * 257


def _frames(kind: str, **options: object) -> bytes:
    second = Image.new("RGB", (WIDTH, HEIGHT), "black")
    return _bytes(upright(), kind, save_all=True, append_images=[second], **options)


def _cut_out_16() -> bytes:
    values = _grey_16()
    values[_ground()] = 12_345
    return _png(16, 0, _rows(values), (b"tRNS", struct.pack(">H", 12_345)))


def _colours_16() -> bytes:
    values = np.asarray(upright()).astype(np.uint16) * 257
    values[_ground()] = (1_000, 2_000, 3_000)
    chunk = (b"tRNS", struct.pack(">3H", 1_000, 2_000, 3_000))
    return _png(16, 2, _rows(values.reshape(HEIGHT, -1)), chunk)


def _cmyk() -> Image.Image:
    inverse = 255 - np.asarray(upright())
    black = np.zeros((HEIGHT, WIDTH, 1), dtype=np.uint8)
    return Image.frombytes("CMYK", (WIDTH, HEIGHT), np.concatenate([inverse, black], 2).tobytes())


def _turned_png() -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = see_through().transpose(STORED_BY[6])
    return _bytes(turned, "PNG", exif=exif)


COLOURED: Final[dict[str, Callable[[], bytes]]] = {
    **{f"turned-{number}.jpg": lambda number=number: _turned(number) for number in STORED_BY},
    "plain.jfif": lambda: _bytes(upright(), "JPEG", quality=95),
    "plain.jpe": lambda: _bytes(upright(), "JPEG", quality=95),
    "plain.tiff": lambda: _bytes(upright(), "TIFF", compression="tiff_lzw"),
    "plain.bmp": lambda: _bytes(upright(), "BMP"),
    "plain.avif": lambda: _bytes(upright(), "AVIF", quality=95),
    "plain.webp": lambda: _bytes(upright(), "WEBP", lossless=True),
    "plain.jp2": lambda: _bytes(upright(), "JPEG2000"),
    "transparent.png": lambda: _bytes(see_through(), "PNG"),
    "transparent-odd.png": lambda: _bytes(see_through((255, 0, 255)), "PNG"),
    "transparent.webp": lambda: _bytes(see_through(), "WEBP", lossless=True, exact=True),
    "transparent.tif": lambda: _bytes(see_through(), "TIFF"),
    "palette.png": _palette,
    "turned.png": _turned_png,
    "sixteen-colours.png": _colours_16,
    "cmyk.jpg": lambda: _bytes(_cmyk(), "JPEG", quality=95),
    "cmyk.tif": lambda: _bytes(_cmyk(), "TIFF"),
    "frames.gif": lambda: _frames("GIF"),
    "frames.webp": lambda: _frames("WEBP", lossless=True),
    "frames.tif": lambda: _frames("TIFF"),
    "frames.png": lambda: _frames("PNG"),
    "two.mpo": lambda: _frames("MPO", quality=95),
}
"""File names to what makes the content of files that show ``upright()``."""

GREY: Final[dict[str, Callable[[], bytes]]] = {
    "grey.png": lambda: _bytes(grey(), "PNG"),
    "grey.jpg": lambda: _bytes(grey(), "JPEG", quality=95),
    "sixteen.png": lambda: _png(16, 0, _rows(_grey_16())),
    "sixteen-cut-out.png": _cut_out_16,
    "sixteen.tif": lambda: _bytes(Image.fromarray(_grey_16()), "TIFF"),
    "sixteen.pgm": lambda: (
        f"P5\n{WIDTH} {HEIGHT}\n65535\n".encode() + _grey_16().astype(">u2").tobytes()
    ),
    "share.tif": lambda: _bytes(_numbers(np.float32, 1 / 255), "TIFF"),
    "far.tif": lambda: _bytes(_numbers(np.float32, 1_000.0, 5_000.0), "TIFF"),
    "whole.tif": lambda: _bytes(_numbers(np.int32, 257), "TIFF"),
    "cut-out.png": lambda: _bytes(_grey_cut_out(), "PNG"),
}
"""The same for ``grey()``."""


def _numbers(kind: type, factor: float, more: float = 0) -> Image.Image:
    values = np.asarray(grey()).astype(np.float64)
    if more:
        # Reaches from black to white, for it is stretched by its own ends.
        values = (values - values.min()) * 255 / (values.max() - values.min())
    return Image.fromarray((values * factor + more).astype(kind))


def _grey_cut_out() -> Image.Image:
    pixels = np.stack([np.asarray(grey()), np.full((HEIGHT, WIDTH), 255, np.uint8)], 2)
    pixels[_ground()] = (0, 0)
    return Image.fromarray(pixels, "LA")


def write_all(folder: Path) -> None:
    """Write every file into ``folder``."""
    for name, make in (COLOURED | GREY).items():
        (folder / name).write_bytes(make())


def expected(name: str) -> Image.Image:
    """Return the picture that a file shows, as RGB."""
    if name == "far.tif":
        values = np.asarray(grey()).astype(np.float64)
        share = (values - values.min()) / (values.max() - values.min())
        return Image.fromarray(np.rint(share * 255).astype(np.uint8)).convert("RGB")
    return upright() if name in COLOURED else grey().convert("RGB")


def distance(left: Image.Image | np.ndarray, right: Image.Image | np.ndarray) -> float:
    """Return the mean absolute difference in grey levels, at the size of the smaller one."""
    first, second = (Image.fromarray(np.asarray(one)) for one in (left, right))
    if first.size != second.size:
        size = min(first.size, second.size)
        first, second = (one.resize(size, Image.Resampling.BOX) for one in (first, second))
    return float(np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16)).mean())
