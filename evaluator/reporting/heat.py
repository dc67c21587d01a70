"""Draws where a model looked: a small transparent picture to lay over another, and outlines."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluator.answering.attention import STEP, Attention


@dataclass(frozen=True)
class HeatMap:
    """A PNG of one pixel a patch as a data URI, and outlines of two regions as SVG paths.

    The paths count in patches; ``rows`` and ``columns`` are the size of the grid.
    """

    picture: str
    answer_outline: str
    question_outline: str
    rows: int
    columns: int


def heat_map(attention: Attention) -> HeatMap:
    """Draw the answer's map from clear to a strong red, and the two regions that VTGS compares."""
    rows, columns = attention.answer_map_RC.shape
    return HeatMap(
        _png(attention.answer_map_RC),
        outline(attention.answer_region_RC),
        outline(attention.question_region_RC),
        rows,
        columns,
    )


def outline(region_RC: NDArray[np.bool_]) -> str:
    """Return the border of a region as an SVG path of horizontal and vertical lines."""
    padded = np.pad(region_RC, 1)
    horizontal = padded[1:, 1:-1] != padded[:-1, 1:-1]
    vertical = padded[1:-1, 1:] != padded[1:-1, :-1]
    lines = [f"M{start} {y}h{length}" for y, start, length in _runs(horizontal)]
    lines += [f"M{x} {start}v{length}" for x, start, length in _runs(vertical.T)]
    return "".join(lines)


def _runs(edges: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Return line, start and length of each run of true cells."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    return [
        (int(line), int(start), int(end - start))
        for (line, start), (_, end) in zip(starts, ends, strict=True)
    ]


def _png(levels_RC: NDArray[np.uint8]) -> str:
    # The few levels of a packed map are the indices of a palette with its own transparency.
    levels = np.arange(255 // STEP + 1)
    picture = Image.fromarray(levels_RC // STEP, "L").convert("P")
    share = levels / levels[-1]
    red = np.full(len(levels), 255)
    green = np.interp(share, [0, 0.5, 1], [220, 140, 20])
    blue = np.interp(share, [0, 0.5, 1], [60, 0, 20])
    picture.putpalette(np.stack([red, green, blue], axis=1).astype(np.uint8).ravel().tolist())
    alpha = (share**0.8 * 215).astype(np.uint8)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, bits=4, transparency=alpha.tobytes())
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
