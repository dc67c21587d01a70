"""Rows by the image that they are about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class AboutAnImage(Protocol):
    """A pair, a question: whatever names its image."""

    @property
    def filename(self) -> str:
        """The image's name."""
        ...


Row = TypeVar("Row", bound=AboutAnImage)


def by_image(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows about each image, in the order in which they come.

    >>> from shared.records import Question
    >>> lamps = [Question("1", "Is it on?", "lamp.jpg"), Question("2", "Is it red?", "lamp.jpg")]
    >>> {name: [row.id for row in rows] for name, rows in by_image(lamps).items()}
    {'lamp.jpg': ['1', '2']}
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.filename, []).append(row)
    return groups
