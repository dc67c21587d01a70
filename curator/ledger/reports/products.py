"""Which listings are about one product: those that name one, and those that share an image."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.dataset.joined import Joined
from shared.dataset.products import MOST_SHARED, names_product

_PRODUCT, _LISTING = 0, 1  # a tree is named after a product, where it has one
_NAMED: Final = "SELECT DISTINCT product FROM items WHERE product != ''"
# All others have one image, which is theirs alone: what they say themselves is all there is.
_BESIDE_OTHERS: Final = """
WITH listings AS MATERIALIZED (
  SELECT id AS item_id, listing_id, product FROM items
  UNION ALL SELECT item_id, listing_id, product FROM other_listings
), several AS MATERIALIZED (
  SELECT listing_id FROM listings GROUP BY listing_id HAVING count(*) > 1
  UNION SELECT listing_id FROM other_listings
  UNION SELECT listing_id FROM items WHERE id IN (SELECT item_id FROM other_listings)
)
SELECT item_id, listing_id, product FROM listings WHERE listing_id IN (SELECT * FROM several)
"""

_Label = tuple[int, str]


@dataclass(frozen=True)
class Products:
    """The products of a ledger's listings.

    ``by_listing`` has those of listings with several images, or with one that others have, too;
    ``name`` what a product goes by that was joined to another one. ``are_told`` tells whether any
    listing has a product of which it says more than its image does.
    """

    by_listing: Mapping[str, str]
    name: Mapping[str, str]
    are_told: bool

    def of(self, listing_id: str, named: str) -> str:
        """Return the product of a listing that itself says ``named``; "" where none is known."""
        found = self.by_listing.get(listing_id)
        if found is not None:
            return found
        return self.name.get(named, named) if names_product(named) else ""


def products(connection: sqlite3.Connection) -> Products:
    """Return the product of each listing of which it says more than the image does."""
    joined: Joined[_Label] = Joined()
    images: Counter[str] = Counter()
    by_image: defaultdict[int, list[str]] = defaultdict(list)
    for item_id, listing_id, product in connection.execute(_BESIDE_OTHERS):
        images[listing_id] += 1
        by_image[item_id].append(listing_id)
        joined.add((_LISTING, listing_id))
        if names_product(product):
            joined.join((_LISTING, listing_id), (_PRODUCT, product))
    for first, *others in by_image.values():
        if len(others) < MOST_SHARED:
            for other in others:
                joined.join((_LISTING, first), (_LISTING, other))
    roots = {(kind, name): joined.root((kind, name)) for kind, name in joined}
    listings = Counter(root for (kind, _), root in roots.items() if kind == _LISTING)
    by_listing = {
        name: root[1]
        for (kind, name), root in roots.items()
        if kind == _LISTING and (root[0] == _PRODUCT or images[name] > 1 or listings[root] > 1)
    }
    renamed = {
        name: root[1]
        for (kind, name), root in roots.items()
        if kind == _PRODUCT and name != root[1]
    }
    named = connection.execute(_NAMED)
    are_told = bool(by_listing) or any(names_product(product) for (product,) in named)
    return Products(by_listing, renamed, are_told)
