"""Rows as they lie in the pages of a B-tree.

(https://sqlite.org/fileformat2.html, sections 1.6 and 2.1)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Final

from curator.ledger.repair.pages import Pages
from shared.value_class import value_class

Value = int | float | str | bytes | None

_WIDTHS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_LARGEST_PAGE: Final = 65_536
_FLOAT: Final = 7
_FIRST_LENGTH: Final = 12
_SEVEN_BITS: Final = 0x7F


class Kind(IntEnum):
    """What a page of a B-tree is."""

    INDEX_INTERIOR = 2
    TABLE_INTERIOR = 5
    INDEX_LEAF = 10
    TABLE_LEAF = 13

    @property
    def is_leaf(self) -> bool:
        """Whether it has no pages below it."""
        return self in {Kind.INDEX_LEAF, Kind.TABLE_LEAF}

    @property
    def is_of_table(self) -> bool:
        """Whether its rows have numbers; else it is of an index, or of a table that is one."""
        return self in {Kind.TABLE_INTERIOR, Kind.TABLE_LEAF}


class Damaged(Exception):
    """What is read here cannot be what SQLite wrote."""


@value_class
class Row:
    """A row's number, 0 in an index, and its values in the order in which they are kept."""

    number: int
    values: Sequence[Value]


@value_class
class TreePage:
    """A page of a B-tree; ``offsets`` say where in it its cells begin."""

    kind: Kind
    content: bytes
    offsets: Sequence[int]
    last_child: int

    @classmethod
    def of(cls, content: bytes, number: int) -> TreePage:
        """Return what the page of that number is.

        Raises:
            Damaged: it is no page of a B-tree.
        """
        start = 100 if number == 1 else 0
        if not content or content[start] not in set(Kind):
            raise Damaged
        kind = Kind(content[start])
        count = int.from_bytes(content[start + 3 : start + 5])
        head = start + (8 if kind.is_leaf else 12)
        if head + 2 * count > len(content):
            raise Damaged
        # Cells stand behind the list of where they stand, each in a place of its own.
        first = int.from_bytes(content[start + 5 : start + 7]) or _LARGEST_PAGE
        offsets = struct.unpack_from(f">{count}H", content, head)
        is_odd = len(set(offsets)) < count or first < head + 2 * count
        if is_odd or any(not first <= offset < len(content) for offset in offsets):
            raise Damaged
        last_child = 0 if kind.is_leaf else int.from_bytes(content[start + 8 : start + 12])
        return cls(kind, content, offsets, last_child)

    def children(self) -> Iterator[int]:
        """Yield the numbers of the pages below, in order."""
        if not self.kind.is_leaf:
            for offset in self.offsets:
                yield int.from_bytes(self.content[offset : offset + 4])
            yield self.last_child

    def rows(self, pages: Pages) -> Iterator[Row | None]:
        """Yield the rows that stand in it, ``None`` for one that cannot be read."""
        if self.kind is Kind.TABLE_INTERIOR:
            return
        for offset in self.offsets:
            try:
                yield self._row(offset, pages)
            except (Damaged, IndexError, UnicodeDecodeError, struct.error):
                yield None

    def _row(self, offset: int, pages: Pages) -> Row:
        at = offset if self.kind.is_leaf else offset + 4
        length, at = _varint(self.content, at)
        number = 0
        if self.kind is Kind.TABLE_LEAF:
            number, at = _varint(self.content, at)
        return Row(number, _values(self._payload(length, at, pages)))

    def _payload(self, length: int, at: int, pages: Pages) -> bytes:
        usable = pages.usable
        most = usable - 35 if self.kind.is_of_table else (usable - 12) * 64 // 255 - 23
        if length <= most:
            return self._cut(at, length)
        least = (usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
        parts, left = [self._cut(at, local)], length - local
        following = int.from_bytes(self._cut(at + local, 4))
        if left > pages.count * usable:
            raise Damaged
        while left > 0:
            page = pages[following]
            if not page:
                raise Damaged
            parts.append(page[4 : min(usable, 4 + left)])
            left -= len(parts[-1])
            following = int.from_bytes(page[:4])
        return b"".join(parts)

    def _cut(self, at: int, length: int) -> bytes:
        part = self.content[at : at + length]
        if length < 0 or len(part) < length:
            raise Damaged
        return part


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to nine bytes, and where the next thing begins."""
    number = 0
    for place in range(8):
        byte = content[at + place]
        number = number << 7 | byte & _SEVEN_BITS
        if byte <= _SEVEN_BITS:
            return number, at + place + 1
    number = number << 8 | content[at + 8]
    return number - (1 << 64) if number >= 1 << 63 else number, at + 9


def _values(payload: bytes) -> list[Value]:
    end, at = _varint(payload, 0)
    body, values = end, []
    while at < end:
        code, at = _varint(payload, at)
        value, body = _value(payload, code, body)
        values.append(value)
    # Every byte has its place, or this is no row.
    if at != end or body != len(payload):
        raise Damaged
    return values


def _value(payload: bytes, code: int, at: int) -> tuple[Value, int]:
    if code == 0:
        return None, at
    if code in _WIDTHS:
        end = at + _WIDTHS[code]
        return int.from_bytes(payload[at:end], signed=True), end
    if code == _FLOAT:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if code in {8, 9}:
        return code - 8, at
    if code < _FIRST_LENGTH:
        raise Damaged
    end = at + (code - _FIRST_LENGTH) // 2
    part = payload[at:end]
    return (part.decode() if code % 2 else part), end
