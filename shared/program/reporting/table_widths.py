"""Widths that keep tables readable where a terminal is narrow: no figure is cut in two."""

from typing import Final

MEAN: Final = len("0.2803")
CLOSE: Final = (0, 1, 0, 0)
"""Spaces of a cell: above, to its right, below, to its left."""
