"""Which patches of a grid over a picture belong to boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.records.boxes import Box

COVER: Final = 0.5
"""A patch is part of a box that covers at least this share of it."""

BOX_RULE: Final = f"patches at least {COVER:g} in a box, or around its centre"
"""How boxes become patches, for signatures."""


def box_patches(boxes: Sequence[Box], rows: int, columns: int) -> NDArray[np.bool_]:
    """Return which patches of an R x C grid over the picture belong to a box, shape (R, C).

    Those that one box covers by ``COVER`` or more; and the one around each box's centre, so that
    a box smaller than half a patch has one too.
    """
    region = np.zeros((rows, columns), dtype=np.bool_)
    for box in boxes:
        down = _covered(box.top, box.bottom, rows)
        across = _covered(box.left, box.right, columns)
        # Shares are products of rounded differences: an exact half must not fall below.
        region |= np.outer(down, across) >= COVER - 1e-9
        centre_y, centre_x = (box.top + box.bottom) / 2, (box.left + box.right) / 2
        region[int(centre_y * rows), int(centre_x * columns)] = True
    return region


def _covered(start: float, end: float, cells: int) -> NDArray[np.float64]:
    """Return the share of each of equal cells of [0, 1] that lies between start and end."""
    edges = np.arange(cells + 1) / cells
    inside = np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1])
    return np.asarray(np.clip(inside, 0.0, None) * cells, dtype=np.float64)
