"""The desk at which people sit: a ledger, asked in threads, beside whoever else works on it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from curator.ledger.database.plain import reading
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
    """Reads a ledger for people; each answer is of one moment."""

    def __init__(self, path: Path) -> None:
        self.path = path

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
