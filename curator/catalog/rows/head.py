"""How a table of text begins: what separates its cells, and where its columns are named; pure."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Final

from curator.catalog.pictures import looks_like_picture
from shared.value_class import value_class

_SEPARATORS: Final = ",;\t|"
_LOOKED_AT: Final = 20
_NARROWEST_WITH_TITLE: Final = 3


@value_class
class Head:
    """What separates cells, and how many rows stand before the header."""

    separator: str
    rows_before: int = 0


def head_of(start: str) -> Head:
    """Return how the table begins whose text begins with ``start``."""
    lines = start.lstrip("\r\n").splitlines()[: _LOOKED_AT + 2] or [""]
    if lines[0].lower().startswith("sep=") and len(lines[0]) > len("sep="):
        return Head(lines[0][len("sep=")], 1)
    if lines[0].startswith("TemplateType="):
        # Amazon's flat files: two lines for people, then the columns.
        return Head(_separator(lines[2:] or lines), 2)
    before = 0
    if lines[0].strip().isdecimal():
        # The number of rows, as lists of research data have it.
        lines, before = lines[1:] or lines, 1
    separator = _separator(lines)
    if separator not in lines[0] and _are_words_after_pictures(lines):
        return Head(" ", before)
    return Head(separator, before)


def _separator(lines: Sequence[str]) -> str:
    """Return the separator by which most rows are as wide as the first one."""
    shapes = {mark: _shape(lines, mark) for mark in _SEPARATORS}
    return max(_SEPARATORS, key=lambda mark: shapes[mark])


def _shape(lines: Sequence[str], separator: str) -> tuple[int, int]:
    widths = [len(cells) for cells in csv.reader(lines, delimiter=separator) if any(cells)] or [0]
    return (widths[1:].count(widths[0]) if widths[0] > 1 else 0, widths[0])


def _are_words_after_pictures(lines: Sequence[str]) -> bool:
    rows = [words for line in lines[1:] if (words := line.split())]
    return bool(rows) and all(len(row) > 1 and looks_like_picture(row[0]) for row in rows)


def is_title(cells: Sequence[str]) -> bool:
    """Return whether a row is a title above the header: a single text in several columns."""
    return len(cells) >= _NARROWEST_WITH_TITLE and sum(map(bool, cells)) == 1


def names_without_header(first: Sequence[str]) -> list[str] | None:
    """Return names for the columns of a table that begins with a row of it, not with a header."""
    pictures = [looks_like_picture(cell.strip()) for cell in first]
    if not any(pictures):
        return None
    return [
        f"{'image' if is_picture else 'column'} {number}"
        for number, is_picture in enumerate(pictures, start=1)
    ]
