"""Squarespace's product export: rows below a product's first are its variants, without an id."""

from __future__ import annotations

from typing import Final

from curator.catalog.shops.shop import ShopTable

TABLE: Final = ShopTable(
    told_by=frozenset({"product id [non editable]", "hosted image urls"}),
    product="product id [non editable]",
    blank_goes_on=True,
    leaves_out=("option", "variant ", "length", "width", "height"),
)
