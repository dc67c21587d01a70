"""Puts the names of dots beside them: each where it hides neither a dot nor another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shared.value_class import value_class

_LETTER, _LINE = 5.0, 9.0
"""Width and height of a letter of 9 pixels."""
_DOT: Final = 4.0
_GAP: Final = 6.0
_STEPS: Final = 12


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
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def placed(dots: Sequence[tuple[float, float]], names: Sequence[str], width: float) -> list[Label]:
    """Return where each name stands, nearest to its dot first, within ``width`` pixels.

    One that finds no free place stands to the right of its dot.
    """
    taken = [_Box(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in dots]
    labels = []
    for (x, y), name in zip(dots, names, strict=True):
        free = [
            (label, box)
            for label, box in _places(x, y, _LETTER * len(name))
            if box.left >= 0 and box.right <= width and not any(map(box.meets, taken))
        ]
        label, box = free[0] if free else next(_places(x, y, _LETTER * len(name)))
        taken.append(box)
        labels.append(label)
    return labels


def _places(x: float, y: float, length: float) -> Iterator[tuple[Label, _Box]]:
    for step in range(_STEPS):
        for down in dict.fromkeys((step, -step)):
            for is_left in (False, True):
                start = x - _GAP if is_left else x + _GAP
                line = y + 3 + down * _LINE
                left = start - length if is_left else start
                box = _Box(left, line - _LINE + 2, left + length, line + 2)
                yield Label(start, line, is_left, is_far=step > 1), box
