"""Values out of JSON that others sent, whatever it holds: wrong kinds count as absent; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import orjson

MOST: Final = 2**53
"""The largest number of things: all above is a mistake of who counted."""


def loads(text: str) -> Any:  # noqa: ANN401 - whatever there is
    """Return the value that ``text`` stands for; whole numbers of over 64 bits become floats.

    Raises:
        ValueError: not JSON.
        RecursionError: nested too deep.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        # It takes no halves of characters, no NaN and less depth.
        return json.loads(text)


def as_dict(value: object) -> dict[str, Any]:
    """Return ``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def dicts_in(value: object) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list; nothing where ``value`` is none."""
    entries = value if isinstance(value, list) else ()
    return (entry for entry in entries if isinstance(entry, dict))


def as_count(value: object) -> int:
    """Return ``value`` as a number of things, 0 where it is none; what no ledger holds is cut."""
    if value is None:
        return 0
    try:
        count = value if type(value) is int else int(str(value))
    except ValueError:
        return 0
    return max(0, min(count, MOST))
