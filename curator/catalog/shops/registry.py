"""What is known of the tables that shops export: a registry, one entry a shop.

Only what the names and contents of columns do not tell stands here: what the product's column is,
which rows go on with the product above, and what says nothing about a picture. The shops' own
formats each have a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from curator.catalog.shops import bigcommerce, magento, shopify, squarespace, woocommerce
from curator.catalog.shops.shop import ShopTable

TABLES: Final[tuple[ShopTable, ...]] = (
    shopify.TABLE,
    shopify.TABLE_OF_2025,
    woocommerce.TABLE,
    squarespace.TABLE,
    bigcommerce.TABLE,
    magento.TABLE,
)
ANY: Final = ShopTable(told_by=frozenset())


def shop_of(columns: Iterable[str]) -> ShopTable:
    """Return the shop whose table has such columns; ``ANY`` where no shop's is known."""
    names = {name.strip().lower() for name in columns}
    return next((table for table in TABLES if table.told_by <= names), ANY)
