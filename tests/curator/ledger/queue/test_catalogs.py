"""Catalogues go in whole, and each image once."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from curator.ledger.queue import catalogs
from shared.errors import AboVqaError, InputError
from shared.records import ImageRef, Listing
from tests.curator.ledger.ledgers import (
    CAMPAIGN,
    answered,
    attempt,
    enrolled,
    listings,
)


async def test_new_listings_are_added_and_known_images_are_not_asked_again(ledger):
    campaign_id = await enrolled(ledger, 3)
    begun = attempt(ledger, campaign_id, 1)
    await ledger.begin(begun)
    await ledger.finish(answered(begun))
    shared_image = Listing("other", ImageRef("i0", "0.jpg"))
    more = [shared_image, *listings(5)]
    assert await ledger.add_catalog("src", "f2", "images", more, 2.0) == 2
    assert await ledger.enrol(CAMPAIGN, 2.0) == campaign_id
    waiting = await ledger.pending(campaign_id, 0, 10)
    assert [item.listing for item in waiting] == listings(4, start=1)
    assert await ledger.known_fingerprint("src") == "f2"


async def test_a_catalogue_that_breaks_off_adds_nothing(ledger):
    def broken():
        yield from listings(5000)
        raise InputError("line 5001 is broken")

    with pytest.raises(InputError, match="5001"):
        await ledger.add_catalog("src", "f", "images", broken(), 1.0)
    assert await ledger.image_path(1) is None
    assert await ledger.known_fingerprint("src") is None


async def test_a_ledger_that_takes_no_more_leaves_no_thread_that_reads(ledger, monkeypatch):
    def full(_connection, _batch):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(catalogs, "_add_batch", full)
    with pytest.raises(AboVqaError, match="full"):
        await ledger.add_catalog("src", "f", "images", listings(5000), 1.0)
    assert not [each for each in threading.enumerate() if each.name.startswith("catalogue")]


async def test_of_listings_that_share_an_image_each_is_kept_once_as_it_was_first_told(
    ledger, tmp_path
):
    image = ImageRef("i", "one.jpg")
    told = [("a", "A"), ("b", "B"), ("a", "C"), ("b", "D"), ("c", "")]
    more = [Listing(listing_id, image, {}, product) for listing_id, product in told]
    assert await ledger.add_catalog("src", "f", "images", [*listings(700), *more], 1.0) == 701
    with closing(sqlite3.connect(tmp_path / "l.db")) as file:
        brought = file.execute("SELECT listing_id, product FROM items WHERE image_id = 'i'")
        assert brought.fetchall() == [("a", "A")]
        others = file.execute("SELECT listing_id, product FROM other_listings")
        assert others.fetchall() == [("b", "B"), ("c", "")]
