"""Boxes: where in its picture the object of a question is.

The only reader of boxes that somebody else wrote. A box is given by its corners, as shares of the
picture's width and height, so that it stays true when the picture is resized.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

from shared.value_class import value_class

SHAPE: Final = "a list of boxes such as [[0.1, 0.2, 0.5, 0.9]]"


@value_class
class Box:
    """Left, top, right and bottom edge, in shares of the picture from its upper left corner.

    Raises:
        ValueError: an edge is outside [0, 1], or the box has no area.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        edges = astuple(self)
        if not all(0 <= edge <= 1 for edge in edges):
            way_out = (
                "; divide left and right by the picture's width, top and bottom by its height"
                if any(edge > 1 for edge in edges)
                else ""
            )
            raise ValueError(f"box {list(edges)}: edges must lie between 0 and 1{way_out}")
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError(
                f"box {list(edges)}: has no area; its numbers are left, top, right, bottom "
                "(not left, top, width, height)"
            )

    @property
    def edges(self) -> list[float]:
        """Return left, top, right, bottom."""
        return [self.left, self.top, self.right, self.bottom]


def parse_boxes(value: object) -> tuple[Box, ...]:
    """Return the boxes of one cell: a list of lists of four numbers, or the same as JSON text.

    An empty cell has none.

    Raises:
        ValueError: the cell holds something else, or a box that is none.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            raise ValueError(f"`boxes` must be {SHAPE}") from None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ()
    if not isinstance(value, list):
        raise ValueError(f"`boxes` must be {SHAPE}")  # noqa: TRY004 (a value of the data)
    return tuple(map(_box, value))


def _box(edges: object) -> Box:
    if (
        not isinstance(edges, list)
        or len(edges) != 4  # noqa: PLR2004 (left, top, right, bottom)
        or not all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in edges)
    ):
        raise ValueError(f"`boxes` must be {SHAPE}; {edges!r} is no box")
    return Box(*map(float, edges))


def boxes_json(boxes: Sequence[Box]) -> str | None:
    """Return boxes as ``parse_boxes`` reads them from text; ``None`` for none."""
    return json.dumps([box.edges for box in boxes]) if boxes else None
