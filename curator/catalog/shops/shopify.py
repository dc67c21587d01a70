"""Shopify's product export: rows of a product's variants and images stand below it.

A row's variant and its image have nothing to do with each other, so variants are left out.
https://help.shopify.com/en/manual/products/import-export/using-csv
"""

from __future__ import annotations

from typing import Final

from curator.catalog.shops.shop import ShopTable

_LEFT_OUT: Final = (
    *("variant ", "option", "google shopping", "gift card", "included", "price", "compare-at"),
    *("seo ", "cost per", "unit price", "charge tax", "continue selling", "requires shipping"),
)
TABLE: Final = ShopTable(
    told_by=frozenset({"handle", "title", "option1 name"}),
    product="handle",
    leaves_out=_LEFT_OUT,
)
TABLE_OF_2025: Final = ShopTable(
    told_by=frozenset({"url handle", "title", "option1 name"}),
    product="url handle",
    leaves_out=_LEFT_OUT,
)
