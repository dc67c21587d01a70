"""BigCommerce's product export: rows of variants and images, with ids of their own, stand below."""

from __future__ import annotations

from typing import Final

from curator.catalog.shops.shop import ShopTable

TABLE: Final = ShopTable(
    told_by=frozenset({"item", "id", "name", "type"}),
    product="id",
    kind="item",
    goes_on=frozenset({"variant", "image", "video"}),
)
