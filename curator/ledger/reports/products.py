"""Which listings are about one product: those that name one, and those that share an image."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from typing import Final

from shared.dataset.joined import Joined
from shared.dataset.products import MOST_SHARED, names_product

_PRODUCT, _LISTING = 0, 1  # a tree is named after a product, where it has one
_LISTINGS: Final = """
SELECT id, listing_id, product FROM items
UNION ALL SELECT item_id, listing_id, product FROM other_listings
"""

_Label = tuple[int, str]


def products(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the product of each listing of which it says more than the image does."""
    joined: Joined[_Label] = Joined()
    images: Counter[str] = Counter()
    by_image: defaultdict[int, list[str]] = defaultdict(list)
    for item_id, listing_id, product in connection.execute(_LISTINGS):
        images[listing_id] += 1
        by_image[item_id].append(listing_id)
        joined.add((_LISTING, listing_id))
        if names_product(product):
            joined.join((_LISTING, listing_id), (_PRODUCT, product))
    for first, *others in by_image.values():
        if len(others) < MOST_SHARED:
            for other in others:
                joined.join((_LISTING, first), (_LISTING, other))
    roots = {name: joined.root((kind, name)) for kind, name in joined if kind == _LISTING}
    listings = Counter(roots.values())
    return {
        listing_id: name
        for listing_id, (kind, name) in roots.items()
        if kind == _PRODUCT or images[listing_id] > 1 or listings[kind, name] > 1
    }
