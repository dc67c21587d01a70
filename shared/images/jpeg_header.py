"""The size of a plain JPEG by its first segments alone, without a decoder.

Most photos are such: eight bits, three colours, held upright. Their headers take a few microseconds
here and five times as many in Pillow, which also reads the tables. Whatever is not so, or not
surely so, is for Pillow to judge.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

_START: Final = b"\xff\xd8"
_SEGMENT: Final = Struct(">HH")
_LEAST: Final = 3
"""A segment's length counts its own two bytes; what holds nothing is for Pillow."""
_SCAN: Final = 0xFFDA
_FRAMES: Final = frozenset({0xFFC0, 0xFFC1, 0xFFC2})
"""Baseline, extended and progressive DCT, with Huffman's codes (ITU T.81, table B.1)."""
_FRAME: Final = Struct(">BHHB")
_BITS: Final = 8
_COLOURS: Final = 3
_TABLES: Final = 0xFFDB
_TABLE_BYTES: Final = 65
_NEXT_PRECISION: Final = 16
_PASSED: Final = frozenset({0xFFC4, 0xFFDD, 0xFFFE})
"""Huffman tables, restart intervals and comments, which change neither size nor colours."""
_APPS: Final = {0xFFE0: b"JFIF", 0xFFEE: b"Adobe"}
"""Applications' segments that turn nothing, by how their content starts."""
_LEAST_APP: Final = 12


def plain_jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels of a JPEG of three colours that is upright.

    ``None`` says that it is none, or that it takes a look at more than the first segments to know:
    EXIF or XMP (which may turn it), several pictures in one file, a profile, an odd table, a
    segment cut off.
    """
    size = None
    place = 2 if content.startswith(_START) else len(content)
    last = len(content) - _SEGMENT.size
    while place <= last:
        marker, length = _SEGMENT.unpack_from(content, place)
        start, end = place + _SEGMENT.size, place + 2 + length
        if length < _LEAST or end > len(content):
            break
        if marker == _SCAN:
            return size
        if marker in _FRAMES and size is None:
            size = _size_of_frame(content[start:end])
            if size is None:
                break
        elif not _is_harmless(marker, content, start, end):
            break
        place = end
    return None


def _size_of_frame(frame: bytes) -> tuple[int, int] | None:
    if len(frame) != _FRAME.size + 3 * _COLOURS:
        return None
    bits, height, width, colours = _FRAME.unpack_from(frame)
    is_plain = bits == _BITS and colours == _COLOURS and height and width
    return (width, height) if is_plain else None


def _is_harmless(marker: int, content: bytes, start: int, end: int) -> bool:
    """Return whether a segment is whole for Pillow, too, and tells nothing of how to show it."""
    if marker == _TABLES:
        # Those of 16 bits, which are longer, are rare.
        is_whole = (end - start) % _TABLE_BYTES == 0
        return is_whole and all(
            content[at] < _NEXT_PRECISION for at in range(start, end, _TABLE_BYTES)
        )
    if (known := _APPS.get(marker)) is not None:
        return end - start >= _LEAST_APP and content.startswith(known, start)
    return marker in _PASSED
