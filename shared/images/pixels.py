"""Image files to pixels: upright, on white, 8 bits a colour. Nothing else opens a picture.

Needs Pillow and numpy alone, for every exported bundle holds a copy of this file. Everybody else
goes through ``shared.images.decoding``, whose errors name the file.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

if TYPE_CHECKING:
    import numpy as np

DECODER: Final = 2
"""Rises when a file gives other pixels than before: what is kept of pictures is kept under it."""

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""What is decoded, by Pillow's names; those whose decoders start other programs are left out."""

LARGEST_PIXELS: Final = 178_956_970
"""Pillow's own bound. Files that state more are refused before anything is decoded."""

_BAND_PIXELS: Final = 2**20
_TOO_MANY: Final = f"more than {LARGEST_PIXELS // 10**6} million pixels; scale it down"
_WHITE: Final = 255
_DEEP_MODES: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})
_USUAL_RANGES: Final = ((0.0, 1.0), (0.0, 255.0), (0.0, 65535.0))
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each orientation of EXIF (CIPA DC-008, 4.6.4.A)."""
_BROKEN: Final = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError),
    *(SyntaxError, TypeError, ValueError, UserWarning, struct.error, zlib.error),
)
"""What Pillow's decoders raise over files that are not as they should be."""

# Truncated downloads must be reported, not filled with grey.
ImageFile.LOAD_TRUNCATED_IMAGES = False
Image.MAX_IMAGE_PIXELS = LARGEST_PIXELS
# Told by an error of ours, and harmless.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", "Corrupt EXIF data", UserWarning)


class UnreadablePicture(ValueError):
    """A file's content is no picture, or none that is decoded whole."""


class TooManyPixels(UnreadablePicture):
    """A file states a size that nobody should have to decode."""


@contextmanager
def opened(content: Path | BinaryIO) -> Iterator[Image.Image]:
    """Yield a picture of which the header was read; its pixels are decoded within the block.

    Raises:
        UnreadablePicture: of no known format, cut off or damaged.
        TooManyPixels: too large.
        OSError: the machine does not give the file; ``errno`` says why.
    """
    try:
        with Image.open(content, formats=FORMATS) as image:
            _require_size(image)
            yield image
    except UnreadablePicture:
        raise
    except UnidentifiedImageError as error:
        raise UnreadablePicture(f"none of {', '.join(FORMATS)}, by its content") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise UnreadablePicture(str(error) or "damaged") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(_TOO_MANY) from error
    except _BROKEN as error:
        raise UnreadablePicture(str(error) or type(error).__name__) from error


def _require_size(image: Image.Image) -> None:
    if image.width * image.height > LARGEST_PIXELS:
        raise TooManyPixels(_TOO_MANY)


def rgb(image: Image.Image) -> Image.Image:
    """Return a picture as RGB: turned as its camera says, and on white where it is transparent.

    Pictures that are so already come back as they are, without a copy.
    """
    image.load()
    picture = _on_white(_upright(image))
    # Neither a turn that is made, nor a colour that is white now, may be met again.
    picture.info = {}
    return picture


def orientation(image: Image.Image) -> int:
    """Return how a camera held the picture, 1 to 8 as in EXIF; 1 where nothing sensible is told."""
    try:
        stated = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, *_BROKEN):
        return 1
    return stated if stated in _TURNS else 1


def losses(image: Image.Image) -> list[str]:
    """Return what of a picture, whose header was read, ``rgb`` leaves out."""
    lost = []
    if image.format != "MPO" and _is_animated(image):
        lost.append("holds several frames or pages; the first is read")
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", ())]
    if image.mode in _DEEP_MODES or any(";16" in raw_mode for raw_mode in raw_modes):
        lost.append("has more than 8 bits a colour; scaled to 8, the finest steps are lost")
    return lost


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except (OSError, *_BROKEN):
        return False


def _upright(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP_MODES:
        return _from_deep_grey(image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > _WHITE:
        # A colour of 16 bits each, of a picture that was read with the upper 8.
        image.info["transparency"] = tuple(part >> 8 for part in key)
    opaque = Image.new("RGB", image.size)
    for band in _bands(*image.size):
        layer = image.crop((0, band.start, image.width, min(band.stop, image.height)))
        white = Image.new("RGBA", layer.size, "white")
        seen = Image.alpha_composite(white, layer.convert("RGBA"))
        opaque.paste(seen.convert("RGB"), (0, band.start))
    return opaque


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Scale grey of 16 bits or more; a single value may be the transparent one."""
    # Slow to import, and few pictures are so deep.
    import numpy as np  # noqa: PLC0415

    values = np.asarray(image)
    low, high = _range_of(image, values)
    key = image.info.get("transparency")
    grey = np.empty(values.shape, dtype=np.uint8)
    for band in _bands(values.shape[1], len(values)):
        finite = np.nan_to_num(values[band].astype(np.float64), posinf=high, neginf=low)
        share = ((finite - low) / ((high - low) or 1)).clip(0, 1)
        grey[band] = np.rint(share * _WHITE)
        if isinstance(key, int):
            grey[band][values[band] == key] = _WHITE
    return Image.fromarray(grey).convert("RGB")


def _range_of(image: Image.Image, values: np.ndarray) -> tuple[float, float]:
    """Return the values that are black and white: the format's, the first usual ones, or theirs."""
    if image.mode.startswith("I;16") or image.format in {"PNG", "PPM"}:
        return _USUAL_RANGES[-1]
    low, high = _ends(values)
    usual = _USUAL_RANGES if image.mode == "F" else _USUAL_RANGES[1:]
    return next((span for span in usual if span[0] <= low and high <= span[1]), (low, high))


def _ends(values: np.ndarray) -> tuple[float, float]:
    import numpy as np  # noqa: PLC0415 - as above

    low, high = np.inf, -np.inf
    for band in _bands(values.shape[1], len(values)):
        finite = values[band][np.isfinite(values[band])]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 1.0)


def _bands(width: int, height: int) -> Iterator[slice]:
    """Yield rows to convert together, so that a large picture takes little more than its size."""
    rows = max(1, _BAND_PIXELS // max(1, width))
    for first in range(0, height, rows):
        yield slice(first, first + rows)
