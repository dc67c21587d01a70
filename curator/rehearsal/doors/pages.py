"""Lists in pages, the newest first, as ``pageSize`` and ``pageToken`` ask for them. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from shared.value_class import value_class


class Numbered(Protocol):
    """Something that is listed; what is newer has a higher number."""

    @property
    def number(self) -> int:
        """Its place in the order in which all were made."""
        ...


Item = TypeVar("Item", bound=Numbered)


class NoSuchPage(ValueError):
    """The token of a page is none that was given out, or its size no number."""


@value_class
class Page(Generic[Item]):
    """Some items of a list, and the token of those that follow; empty at the end."""

    items: tuple[Item, ...]
    next_token: str


def page(items: Sequence[Item], query: Mapping[str, str], *, size: int, most: int) -> Page[Item]:
    """Return the page that ``query`` asks for, of ``size`` items where it says nothing.

    A token names the last item that was shown, so that none is left out where one was deleted.

    Raises:
        NoSuchPage: the token or the size cannot be read.
    """
    try:
        asked = int(query.get("pageSize") or query.get("page_size") or size)
        token = query.get("pageToken") or query.get("page_token") or ""
        before = int(base64.urlsafe_b64decode(token)) if token else None
    except (ValueError, binascii.Error) as error:
        raise NoSuchPage from error
    if asked < 0:
        raise NoSuchPage
    left = [item for item in items if before is None or item.number < before]
    shown = left[: min(asked, most) or size]
    has_more = len(left) > len(shown)
    last = str(shown[-1].number).encode() if has_more else b""
    return Page(tuple(shown), base64.urlsafe_b64encode(last).decode())
