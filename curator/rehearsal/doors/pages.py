"""Lists in pages, as ``pageSize`` and ``pageToken`` ask for them. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NoSuchPage(ValueError):
    """The token of a page is none that was given out, or its size no number."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, and the token of those that follow; empty at the end."""

    items: tuple[Item, ...]
    next_token: str


def page(items: Sequence[Item], query: Mapping[str, str], *, size: int, most: int) -> Page[Item]:
    """Return the page that ``query`` asks for, of ``size`` items where it says nothing.

    Raises:
        NoSuchPage: the token or the size cannot be read.
    """
    try:
        asked = int(query.get("pageSize") or query.get("page_size") or size)
        token = query.get("pageToken") or query.get("page_token") or ""
        first = int(base64.urlsafe_b64decode(token)) if token else 0
    except (ValueError, binascii.Error) as error:
        raise NoSuchPage from error
    if asked < 0 or first < 0:
        raise NoSuchPage
    last = first + (min(asked, most) or size)
    following = base64.urlsafe_b64encode(str(last).encode()).decode() if last < len(items) else ""
    return Page(tuple(items[first:last]), following)
