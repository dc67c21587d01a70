"""How often second opinions agree, with an interval that knows of images; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_Z95: Final = 1.959964


@dataclass(slots=True)
class AgreementRate:
    """The share of second opinions that agree, counted image by image.

    Answers about one image stand or fall together, so that the interval is Wilson's with the
    effective sample size of a cluster sample (Dean and Pagano, Stat. Med. 34, 2015; the variance
    is that of a ratio of sums over images).
    """

    images: int = 0
    opinions: int = 0
    agreeing: int = 0
    _squares: float = 0.0
    _products: float = 0.0
    _square_sizes: float = 0.0

    def add_image(self, opinions: int, agreeing: int) -> None:
        """Count an image with so many second opinions, of which ``agreeing`` agree."""
        if not opinions:
            return
        self.images += 1
        self.opinions += opinions
        self.agreeing += agreeing
        self._squares += agreeing**2
        self._products += agreeing * opinions
        self._square_sizes += opinions**2

    @property
    def rate(self) -> float | None:
        """The share in [0, 1]; ``None`` without opinions."""
        return self.agreeing / self.opinions if self.opinions else None

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the share; ``None`` without opinions."""
        rate = self.rate
        if rate is None:
            return None
        return wilson_interval(rate, self._effective_size(rate))

    def _effective_size(self, rate: float) -> float:
        within = rate * (1 - rate)
        if self.images < 2 or within == 0:  # noqa: PLR2004 - one image shows no spread
            return self.images
        residuals = self._squares - 2 * rate * self._products + rate**2 * self._square_sizes
        variance = residuals / self.opinions**2 * self.images / (self.images - 1)
        return min(self.opinions, within / variance) if variance > 0 else self.opinions


def wilson_interval(rate: float, size: float) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a share ``rate`` seen in ``size`` trials."""
    z2 = _Z95**2
    centre = (rate + z2 / (2 * size)) / (1 + z2 / size)
    half = _Z95 / (1 + z2 / size) * math.sqrt(rate * (1 - rate) / size + z2 / (4 * size**2))
    return max(0.0, centre - half), min(1.0, centre + half)
