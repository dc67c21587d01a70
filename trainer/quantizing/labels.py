"""Puts the names of dots beside them: each where it hides neither a dot nor another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shared.value_class import value_class

_LETTER, _LINE = 5.0, 9.0
"""Width and height of a letter of 9 pixels."""
_GAP: Final = 9.0
_STEPS: Final = 40


@value_class
class Label:
    """A name whose text begins at ``x``, or ends there if it stands left of its dot.

    ``y`` is the line that the letters stand on; ``is_far`` tells that a line should lead to it.
    """

    x: float
    y: float
    is_left: bool
    is_far: bool


@value_class
class Area:
    """A rectangle of a picture, in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area) -> bool:
        """Return whether both have a place in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Area) -> bool:
        """Return whether all of another lies in this one."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


def placed(
    dots: Sequence[tuple[float, float]],
    radii: Sequence[float],
    names: Sequence[str],
    area: Area,
) -> list[Label]:
    """Return where each name stands within ``area``, nearest to its dot first.

    One that finds no free place stands where it hides another, but within ``area`` if that can be.
    """
    taken = [
        Area(x - radius, y - radius, x + radius, y + radius)
        for (x, y), radius in zip(dots, radii, strict=True)
    ]
    labels = []
    for (x, y), name in zip(dots, names, strict=True):
        places = list(_places(x, y, _LETTER * len(name)))
        within = [place for place in places if area.holds(place[1])] or places
        free = [place for place in within if not any(map(place[1].meets, taken))]
        label, box = (free or within)[0]
        taken.append(box)
        labels.append(label)
    return labels


def _places(x: float, y: float, length: float) -> Iterator[tuple[Label, Area]]:
    for step in range(_STEPS):
        for down in dict.fromkeys((step, -step)):
            for is_left in (False, True):
                start = x - _GAP if is_left else x + _GAP
                line = y + 3 + down * _LINE
                left = start - length if is_left else start
                box = Area(left, line - _LINE + 2, left + length, line + 2)
                yield Label(start, line, is_left, is_far=step > 1), box
