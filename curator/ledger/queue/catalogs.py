"""The imported catalogues: each image once, and all the listings that have it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from sqlalchemy import Insert, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database import tables
from curator.ledger.database.coding import Row, left_out_of, left_out_text, listing_row
from curator.ledger.records.overview import LeftOut
from shared.records import Listing

IMPORT_BATCH: Final = 2_000
_items, _sources = tables.items, tables.sources


async def add(
    connection: AsyncConnection,
    source: Row,
    listings: Iterable[Listing],
    left_out: Callable[[], Sequence[LeftOut]],
) -> int:
    """Add the listings whose image is new, and remember their source; return how many images.

    ``left_out`` is asked once they are read.
    """
    insert_new = sqlite_insert(_items).on_conflict_do_nothing()
    insert_others = _other_listings()
    remember = sqlite_insert(_sources)
    remember = remember.on_conflict_do_update(["path"], set_=dict(remember.excluded))
    remaining = iter(listings)
    before = await item_count(connection)
    while batch := await asyncio.to_thread(_next_rows, remaining):
        await connection.execute(insert_new, batch)
        await connection.execute(insert_others, batch)
    await connection.execute(remember, {**source, "left_out": left_out_text(left_out())})
    return await item_count(connection) - before


def _next_rows(listings: Iterator[Listing]) -> list[Row]:
    return [listing_row(listing) for listing in islice(listings, IMPORT_BATCH)]


def _other_listings() -> Insert:
    """Return what keeps listings, as rows of items, whose image another listing brought."""
    further = select(
        _items.c.id, bindparam("listing_id").label("listing"), bindparam("product").label("group")
    ).where(
        _items.c.image_path == bindparam("image_path"),
        _items.c.listing_id != bindparam("listing_id"),
    )
    insert = sqlite_insert(tables.other_listings)
    return insert.from_select(
        ["item_id", "listing_id", "product"], further
    ).on_conflict_do_nothing()


async def item_count(connection: AsyncConnection) -> int:
    """Return the number of images."""
    return await connection.scalar(select(func.count()).select_from(_items)) or 0


async def image_path(connection: AsyncConnection, item_id: int) -> str | None:
    """Return an item's image, relative to the images folder; ``None`` if there is no such."""
    path: str | None = await connection.scalar(
        select(_items.c.image_path).where(_items.c.id == item_id)
    )
    return path


async def fingerprint(connection: AsyncConnection, source: str) -> str | None:
    """Return the fingerprint of the catalogue at ``source`` when it was last imported."""
    latest: str | None = await connection.scalar(
        select(_sources.c.fingerprint).where(_sources.c.path == source)
    )
    return latest


async def left_out(connection: AsyncConnection, source: str) -> list[LeftOut]:
    """Return what of the catalogue at ``source`` could not be used when it was imported."""
    statement = select(_sources.c.left_out).where(_sources.c.path == source)
    return left_out_of(await connection.scalar(statement))


async def images_dirs(connection: AsyncConnection) -> list[str]:
    """Return the images folders of the catalogues, latest first."""
    latest_first = _sources.c.imported_at.desc()
    rows = await connection.scalars(select(_sources.c.images_dir).order_by(latest_first))
    return list(dict.fromkeys(rows))
