"""WooCommerce's product export: a variation is a product of its own, and names its parent.

https://woocommerce.com/document/product-csv-importer-exporter/
"""

from __future__ import annotations

from typing import Final

from curator.catalog.shops.shop import ShopTable

TABLE: Final = ShopTable(
    told_by=frozenset({"id", "type", "sku", "images"}),
    product="id",
    parent="parent",
    leaves_out=("type", "meta:", "in stock", "is featured", "position"),
)
