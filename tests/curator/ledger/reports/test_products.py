"""Listings that name one product or share an image are one product."""

from __future__ import annotations

import gzip
import json

import pytest

from curator.ledger.database.plain import reading
from curator.ledger.reports.products import products
from shared.corpus import read_pairs
from shared.dataset.products import MOST_SHARED
from shared.records import ImageRef, Listing

LISTINGS = """
SELECT listing_id, product FROM items UNION ALL SELECT listing_id, product FROM other_listings
"""


def listing(name, image, product=""):
    return Listing(name, ImageRef(image, f"{image}.jpg"), {}, product)


@pytest.fixture
def products_of(ledger, tmp_path):
    """Return what reads the products of listings, once they are in the ledger."""

    async def read(*listings):
        await ledger.add_catalog("src", "f", "images", listings, 1.0)
        with reading(tmp_path / "l.db") as connection:
            found = products(connection)
            rows = connection.execute(LISTINGS).fetchall()
        told = {name: found.of(name, named) for name, named in rows}
        assert found.are_told is any(told.values())
        return {name: product for name, product in told.items() if product}

    return read


async def test_listings_that_share_an_image_are_one_product(products_of):
    catalogue = [
        listing("A", "1"),
        listing("A", "2"),
        listing("B", "2"),
        listing("B", "3"),
        listing("C", "3"),
        listing("alone", "4"),
    ]
    assert await products_of(*catalogue) == dict.fromkeys("ABC", "A")


async def test_a_product_names_the_listings_that_are_joined_to_it(products_of):
    catalogue = [
        listing("1", "a", "shirt"),
        listing("2", "b", "shirt"),
        listing("3", "b", "nan"),
        listing("4", "c", "nan"),
        listing("5", "d", "nan"),
    ]
    assert await products_of(*catalogue) == dict.fromkeys("123", "shirt")


async def test_where_each_image_is_a_listing_of_its_own_nothing_is_said(products_of):
    assert await products_of(*(listing(f"L{n}", f"{n}") for n in range(5))) == {}


async def test_a_picture_of_too_many_listings_joins_none(products_of):
    chart = [listing(f"L{n:02}", "size-chart") for n in range(MOST_SHARED + 1)]
    own = [listing(f"L{n:02}", f"own-{n}") for n in range(MOST_SHARED + 1)]
    assert await products_of(*own, *chart) == {entry.listing_id: entry.listing_id for entry in own}


async def test_what_a_later_catalogue_joins_is_joined_for_what_was_there_before(products_of):
    assert await products_of(listing("A", "1"), listing("B", "2")) == {}
    assert await products_of(listing("A", "1"), listing("A", "2")) == {"A": "A", "B": "A"}


async def test_an_exported_csv_names_products_and_divides_by_them(stage):
    """Two listings, each with the other's picture among its own."""
    campaign = await stage()
    entries = [
        {
            "item_id": f"P{number}",
            "item_name": [{"language_tag": "en_US", "value": f"thing {number}"}],
            "main_image_id": f"img{number}",
            "other_image_id": [f"img{number + 6 if number < 6 else number - 6}"],
        }
        for number in range(12)
    ]
    listings = campaign.catalog / "listings" / "metadata" / "listings_0.json.gz"
    listings.write_bytes(gzip.compress("\n".join(map(json.dumps, entries)).encode()))
    ended = await campaign.run()
    assert ended.code == 0, ended.err
    out = campaign.folder / "qa.csv"
    assert (await campaign.command("export", "--out", str(out))).code == 0
    assert out.read_text().splitlines()[0] == "id,question,answer,filename,product"
    pairs = read_pairs(out)
    assert len({pair.filename for pair in pairs}) == 12
    assert len({pair.product for pair in pairs}) == 6
    folder = campaign.folder / "data"
    assert (await campaign.command("export", "--out", str(folder))).code == 0
    assert len({pair.unit_id for pair in read_pairs(folder)}) == 6
