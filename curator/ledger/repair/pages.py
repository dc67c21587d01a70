"""The pages of a database file as it lies there, the newest ones from its write-ahead log.

Nothing is taken on trust: a file that was cut off, or whose first page is no page, has the others
still. (https://sqlite.org/fileformat2.html)
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MAGIC: Final = b"SQLite format 3\0"
_USUAL_PAGE: Final = 4_096
_SIZES: Final = frozenset(2**power for power in range(9, 17))
_WAL_HEADER: Final = struct.Struct(">8I")
_FRAME_HEADER: Final = struct.Struct(">6I")
_WAL_MAGICS: Final = {0x377F0682: "<", 0x377F0683: ">"}
_WORD: Final = 0xFFFF_FFFF


class Pages:
    """The pages of the file at ``path``, numbered from 1, each as newly as it was committed."""

    def __init__(self, path: Path) -> None:
        self._bytes = _mapped(path)
        head = bytes(self._bytes[:100])
        self.has_header = head.startswith(_MAGIC)
        """Whether the first page tells how the file is laid out."""
        written = int.from_bytes(head[16:18]) if self.has_header else 0
        size = 65_536 if written == 1 else written
        self.has_header = self.has_header and size in _SIZES
        self.size = size if self.has_header else _USUAL_PAGE
        """Bytes a page."""
        self.usable = self.size - (head[20] if self.has_header else 0)
        """Bytes of a page that hold something."""
        self._newest = _committed(path.with_name(f"{path.name}-wal"), self.size)
        self.count = max([len(self._bytes) // self.size, *self._newest])
        """The highest number of a page that is there whole."""

    def __getitem__(self, number: int) -> bytes:
        """Return a page; empty where it is not there."""
        if newest := self._newest.get(number):
            return newest
        start = (number - 1) * self.size
        page = bytes(self._bytes[start : start + self.size]) if number > 0 else b""
        return page if len(page) == self.size else b""

    def free(self) -> Iterator[int]:
        """Yield the numbers of pages that are out of use, as far as the list of them is there."""
        trunk = int.from_bytes(self[1][32:36]) if self.has_header else 0
        seen = set()
        while trunk and trunk not in seen and (page := self[trunk]):
            seen.add(trunk)
            yield trunk
            most = min(int.from_bytes(page[4:8]), self.usable // 4 - 2)
            yield from struct.unpack_from(f">{most}I", page, 8)
            trunk = int.from_bytes(page[:4])


def _mapped(path: Path) -> mmap.mmap | bytes:
    if not path.is_file() or not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _committed(wal: Path, page_size: int) -> dict[int, bytes]:
    """Return the pages of a write-ahead log up to its last commit, while its sums are right."""
    written = _mapped(wal)
    if len(written) < _WAL_HEADER.size:
        return {}
    magic, _, size, _, *salts, first, second = _WAL_HEADER.unpack_from(written)
    order = _WAL_MAGICS.get(magic, ">")
    sums = _sums(order, bytes(written[:24]), (0, 0))
    committed: dict[int, bytes] = {}
    if magic not in _WAL_MAGICS or size != page_size or sums != (first, second):
        return committed
    pending: dict[int, bytes] = {}
    for start in range(_WAL_HEADER.size, len(written) - _FRAME_HEADER.size - size + 1, 24 + size):
        number, commits, *told = _FRAME_HEADER.unpack_from(written, start)
        page = bytes(written[start + 24 : start + 24 + size])
        sums = _sums(order, bytes(written[start : start + 8]) + page, sums)
        if [*salts, *sums] != told:
            break
        pending[number] = page
        if commits:
            committed |= pending
            pending = {}
    return committed


def _sums(order: str, content: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second
