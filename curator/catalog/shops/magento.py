"""Magento 2's product export: attributes of a shop's own stand together in one column.

https://experienceleague.adobe.com/en/docs/commerce-admin/systems/data-transfer/data-attributes-product
"""

from __future__ import annotations

from typing import Final

from curator.catalog.shops.shop import ShopTable

TABLE: Final = ShopTable(
    told_by=frozenset({"sku", "attribute_set_code", "product_websites"}),
    product="sku",
    leaves_out=("attribute_set_code", "product_type", "store_view", "configurable_", "bundle_"),
    packed="additional_attributes",
)
