"""Catalogues go in whole, and each image once."""

from __future__ import annotations

import pytest

from shared.errors import InputError
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
