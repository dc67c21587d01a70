"""The desk at which people sit: a ledger, read and changed beside whoever else works on it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from curator.ledger.database.plain import BUSY_S, changing, reading
from curator.ledger.records.review import (
    CampaignFacets,
    PairFilter,
    PairPage,
    Place,
)
from curator.ledger.reviews import browsing

Asked = ParamSpec("Asked")
Told = TypeVar("Told")


class Desk:
    """A ledger for people: each answer is of one moment, each change one short transaction."""

    def __init__(self, path: Path, busy_s: float = BUSY_S) -> None:
        """Sit at the ledger at ``path``; a change waits for other writers, ``busy_s`` at most."""
        self.path = path
        self._busy_s = busy_s

    async def facets(self) -> list[CampaignFacets]:
        """Return what the campaigns' pairs can be told apart by."""
        return await self.told(browsing.facets)

    async def page(self, wanted: PairFilter, after: Place, limit: int) -> PairPage:
        """Return some pairs after ``after``, fewer than ``limit`` where few are let through."""
        return await self.told(browsing.pair_page, wanted, after, limit)

    async def count(self, wanted: PairFilter, after: Place) -> tuple[int, Place | None]:
        """Return how many pairs a further stretch of images has, and where the next begins."""
        return await self.told(browsing.count_pairs, wanted, after)

    async def image_path(self, item_id: int) -> str | None:
        """Return an item's image, relative to the images folder; ``None`` if there is no such."""
        return await self.told(browsing.image_path, item_id)

    async def told(
        self,
        report: Callable[Concatenate[sqlite3.Connection, Asked], Told],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        """Return what ``report`` finds in the ledger.

        Raises:
            LedgerFailure: it cannot be read.
        """

        def tell() -> Told:
            with reading(self.path) as connection:
                return report(connection, *args, **kwargs)

        return await asyncio.to_thread(tell)

    async def changed(
        self,
        change: Callable[Concatenate[sqlite3.Connection, Asked], Told],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        """Return what ``change`` says that it did to the ledger.

        Raises:
            LedgerBusy: another process was writing it all the while; nothing was changed.
            LedgerFailure: it cannot be written.
        """

        def do() -> Told:
            with changing(self.path, self._busy_s) as connection:
                return change(connection, *args, **kwargs)

        return await asyncio.to_thread(do)
