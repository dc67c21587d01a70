"""Where a model looked, as few bytes: the answer's map and the two regions that VTGS compares.

Layout: two bytes with the grid's rows and columns; one byte a patch with the answer's map, scaled
so that its largest value is 255, in steps of 17; then the answer's and the question's region, one
bit a patch, each padded to whole bytes. A 24 x 24 grid takes 722 bytes, and less in Parquet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.meaning.vtgs import jaccard
from shared.records.boxes import Box
from shared.records.patches import box_patches

STEP: Final = 17
"""Sixteen levels are more than the eye tells apart in a heat map, and compress well."""


@dataclass(frozen=True)
class Attention:
    """Maps over a grid of R x C patches that covers the whole picture."""

    answer_map_RC: NDArray[np.uint8]
    answer_region_RC: NDArray[np.bool_]
    question_region_RC: NDArray[np.bool_]


def pack_attention(
    answer_map_P: NDArray[np.float32],
    answer_region_P: NDArray[np.bool_],
    question_region_P: NDArray[np.bool_],
) -> bytes:
    """Return the bytes of maps over P patches; none where P is no square grid of at most 255."""
    side = math.isqrt(len(answer_map_P))
    if side * side != len(answer_map_P) or not 0 < side <= 255:  # noqa: PLR2004 (a byte)
        return b""
    largest = float(answer_map_P.max())
    share_P = np.clip(answer_map_P / largest, 0, 1) if largest > 0 else np.zeros(len(answer_map_P))
    levels_P = (np.rint(share_P * 255 / STEP) * STEP).astype(np.uint8)
    regions = [np.packbits(region).tobytes() for region in (answer_region_P, question_region_P)]
    return bytes([side, side]) + levels_P.tobytes() + b"".join(regions)


def unpack_attention(data: bytes) -> Attention | None:
    """Return what ``pack_attention`` packed; ``None`` for no bytes or another layout."""
    if len(data) < 2:  # noqa: PLR2004 (the grid's size)
        return None
    rows, columns = data[0], data[1]
    patches = rows * columns
    packed = math.ceil(patches / 8)
    if len(data) != 2 + patches + 2 * packed:
        return None
    raw = np.frombuffer(data, np.uint8)
    levels, first, second = np.split(raw[2:], [patches, patches + packed])
    regions = [
        np.unpackbits(bits, count=patches).astype(np.bool_).reshape(rows, columns)
        for bits in (first, second)
    ]
    return Attention(levels.reshape(rows, columns), *regions)


def overlap_with_boxes(attention: bytes, boxes: Sequence[Box]) -> float | None:
    """Return the Jaccard overlap of the answer's region with the boxes' patches, in [0, 1].

    ``None`` where there are no boxes or no region was packed.
    """
    looked = unpack_attention(attention) if boxes else None
    if looked is None:
        return None
    region_RC = looked.answer_region_RC
    boxed_RC = box_patches(boxes, *region_RC.shape)
    return float(jaccard(region_RC.ravel(), boxed_RC.ravel()))
