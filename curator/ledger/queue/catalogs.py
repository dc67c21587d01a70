"""The imported catalogues: each image once, and all the listings that have it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain, islice
from typing import Final

from curator.ledger.database.coding import Row, left_out_of, left_out_text, listing_row
from curator.ledger.records.overview import LeftOut
from shared.records import Listing

# What a log alone told of, its catalogue describes.
_NEW: Final = """
INSERT INTO items (listing_id, image_id, image_path, metadata, product) VALUES {rows}
ON CONFLICT (image_path) DO UPDATE SET image_id = excluded.image_id, metadata = excluded.metadata,
  product = excluded.product
  WHERE items.metadata = '{{}}' AND excluded.metadata != '{{}}'
  AND items.listing_id = excluded.listing_id
"""
# Of listings whose image another one brought; the first that says so counts.
_OTHERS: Final = """
WITH read (listing_id, image_id, image_path, metadata, product) AS (VALUES {rows})
INSERT INTO other_listings (item_id, listing_id, product)
SELECT items.id, read.listing_id, read.product FROM read CROSS JOIN items
WHERE items.image_path = read.image_path AND items.listing_id != read.listing_id
ON CONFLICT DO NOTHING
"""
_ROW: Final = "(?, ?, ?, ?, ?)"
_BATCH: Final = 500
"""Listings that one statement adds, for which it takes half the time of one each."""
_Batch = Sequence[tuple[str, ...]]
_SOURCE: Final = """
INSERT INTO sources (path, fingerprint, images_dir, imported_at, left_out)
VALUES (:path, :fingerprint, :images_dir, :imported_at, :left_out)
ON CONFLICT (path) DO UPDATE SET fingerprint = excluded.fingerprint,
  images_dir = excluded.images_dir, imported_at = excluded.imported_at,
  left_out = excluded.left_out
"""


def add(
    connection: sqlite3.Connection,
    source: Row,
    listings: Iterable[Listing],
    left_out: Callable[[], Sequence[LeftOut]],
) -> int:
    """Add the listings whose image is new, and remember their source; return how many images.

    They are read in another thread, and added in this one. ``left_out`` is asked once they are
    read.
    """
    before = _item_count(connection)
    rows = map(listing_row, listings)
    with closing(_read_ahead(iter(lambda: list(islice(rows, _BATCH)), []))) as batches:
        for batch in batches:
            _add_batch(connection, batch)
    connection.execute(_SOURCE, {**source, "left_out": left_out_text(left_out())})
    return _item_count(connection) - before


def _read_ahead(batches: Iterator[_Batch]) -> Generator[_Batch, None, None]:
    """Yield batches, each of which is read while what was done with the last one goes on.

    SQLite holds up no Python meanwhile. What reading raises, this does. Closed, it has no thread.
    """
    with ThreadPoolExecutor(1, "catalogue") as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def _add_batch(connection: sqlite3.Connection, batch: _Batch) -> None:
    rows = ", ".join([_ROW] * len(batch))
    values = list(chain.from_iterable(batch))
    added = connection.execute(_NEW.format(rows=rows), values).rowcount
    if added < len(batch):
        connection.execute(_OTHERS.format(rows=rows), values)


def _item_count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])


def image_path(connection: sqlite3.Connection, item_id: int) -> str | None:
    """Return an item's image, relative to the images folder; ``None`` if there is no such."""
    statement = "SELECT image_path FROM items WHERE id = ?"
    return _first(connection.execute(statement, (item_id,)))


def fingerprint(connection: sqlite3.Connection, source: str) -> str | None:
    """Return the fingerprint of the catalogue at ``source`` when it was last imported."""
    statement = "SELECT fingerprint FROM sources WHERE path = ?"
    return _first(connection.execute(statement, (source,)))


def left_out(connection: sqlite3.Connection, source: str) -> list[LeftOut]:
    """Return what of the catalogue at ``source`` could not be used when it was imported."""
    statement = "SELECT left_out FROM sources WHERE path = ?"
    return left_out_of(_first(connection.execute(statement, (source,))))


def images_dirs(connection: sqlite3.Connection) -> list[str]:
    """Return the images folders of the catalogues, latest first."""
    rows = connection.execute("SELECT images_dir FROM sources ORDER BY imported_at DESC")
    return list(dict.fromkeys(folder for (folder,) in rows))


def _first(rows: sqlite3.Cursor) -> str | None:
    row = rows.fetchone()
    return None if row is None else row[0]
