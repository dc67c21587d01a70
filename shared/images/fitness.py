"""Whether a picture is worth asking about: large enough, not blank, not blurred.

What a picture looks like is measured on a grey copy of at most ``MEASURED_PX``, so that figures of
pictures of different sizes can be compared.
"""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageFilter, ImageStat

from shared.images.pixels import rgb
from shared.value_class import value_class

MEASURED_PX: Final = 512
_LAPLACIAN: Final = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)
_BORDER_PX: Final = 1
"""Pillow's kernels leave the outermost pixels as they are."""


@value_class
class Looks:
    """A picture's measures.

    ``shorter_px`` is its shorter side as it is in the file, ``contrast`` the standard deviation of
    its grey levels (0 for one colour, 127.5 at most), ``sharpness`` that of its Laplacian, the
    smaller the more blurred (Pech-Pacheco et al. 2000, whose measure is the variance; values beyond
    128 grey levels count as 128).
    """

    shorter_px: int
    contrast: float
    sharpness: float


@value_class
class Fitness:
    """What a picture must have at least; 0 for whatever it has."""

    min_pixels: int = 0
    min_contrast: float = 0.0
    min_sharpness: float = 0.0

    @property
    def looks_closer(self) -> bool:
        """Whether the size alone does not tell."""
        return self.min_contrast > 0 or self.min_sharpness > 0

    def too_small(self, size: tuple[int, int]) -> str:
        """Return why a picture of that size is not worth it; empty where it may be."""
        is_small = min(size) < self.min_pixels
        return f"too small: a side below {self.min_pixels} px" if is_small else ""

    def unfit_because(self, looks: Looks) -> str:
        """Return why a picture is not worth asking about; empty where it is."""
        if small := self.too_small((looks.shorter_px, looks.shorter_px)):
            return small
        if looks.contrast < self.min_contrast:
            return f"blank: contrast below {self.min_contrast:g}"
        if looks.sharpness < self.min_sharpness:
            return f"blurred: sharpness below {self.min_sharpness:g}"
        return ""


ANY_PICTURE: Final = Fitness()


def looks_of(image: Image.Image) -> Looks:
    """Return the measures of a picture that was opened, upright or not; decodes it."""
    shorter_px = min(image.size)
    image.draft(None, (MEASURED_PX, MEASURED_PX))
    return measured(rgb(image), shorter_px)


def measured(picture: Image.Image, shorter_px: int) -> Looks:
    """Return the measures of decoded RGB, of which ``shorter_px`` is the file's shorter side."""
    grey = picture.convert("L")
    grey.thumbnail((MEASURED_PX, MEASURED_PX))
    [contrast] = ImageStat.Stat(grey).stddev
    return Looks(shorter_px, contrast, _sharpness(grey))


def _sharpness(grey: Image.Image) -> float:
    width, height = grey.size
    if min(width, height) <= 2 * _BORDER_PX:
        return 0.0
    edges = grey.filter(_LAPLACIAN)
    inner = edges.crop((_BORDER_PX, _BORDER_PX, width - _BORDER_PX, height - _BORDER_PX))
    [sharpness] = ImageStat.Stat(inner).stddev
    return float(sharpness)
