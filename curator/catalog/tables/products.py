"""Completes rows that go on with a product: those below its first row, and its variations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from curator.catalog.shops.shop import ShopTable
from curator.catalog.tables.columns import Layout

_REMEMBERED: Final = 10_000
"""Products whose variations may stand anywhere below them."""


Completed = tuple[str, str, Sequence[str], bool]
"""A row's product, empty if it has no id; its group; its cells; whether it only goes on with it.

The group is what this product and others are variants of; empty where the table does not tell.
"""


class Products:
    """The products that rows so far were about; rows come in the table's order."""

    def __init__(self, columns: Sequence[str], layout: Layout, shop: ShopTable) -> None:
        places = {name.strip().lower(): place for place, name in enumerate(columns)}
        self._layout = layout
        self._shop = shop
        self._kind = places.get(shop.kind)
        self._parent = places.get(shop.parent)
        self._sku = places.get("sku")
        # Where nothing tells one row's product from another's, each is one.
        self._is_apart = (layout.product, layout.group, self._kind, self._parent) == (None,) * 4
        self._id = ""
        self._above: Sequence[str] = [""] * len(columns)
        self._parents: OrderedDict[str, Sequence[str]] = OrderedDict()

    def completed(self, cells: Sequence[str]) -> Completed:
        """Return a row with the texts of its product."""
        if self._is_apart:
            return "", "", cells, False
        product = self._cell(cells, self._layout.product)
        if self._goes_on(cells, product):
            group = self._group(self._above, self._id)
            return self._id, group, self._filled(cells, self._above), True
        self._id, self._above = product, cells
        if self._parent is not None:
            parent = self._parents.get(self._cell(cells, self._parent))
            if parent is not None:
                return product, self._group(cells, product), self._filled(cells, parent), False
            self._remember(cells, product)
        return product, self._group(cells, product), cells, False

    def _group(self, cells: Sequence[str], product: str) -> str:
        if self._layout.group is not None:
            # A parent names none, and its variants name it.
            return self._cell(cells, self._layout.group) or product
        if self._parent is None:
            return ""
        # A parent is named by its SKU, or by its id where it has none.
        own = self._cell(cells, self._sku) or f"id:{product}"
        return self._cell(cells, self._parent) or own

    def _goes_on(self, cells: Sequence[str], product: str) -> bool:
        if self._kind is not None:
            return cells[self._kind].strip().lower() in self._shop.goes_on
        if not product:
            return self._shop.blank_goes_on and bool(self._id)
        return product == self._id and (bool(self._shop.product) or self._lacks_texts(cells))

    def _lacks_texts(self, cells: Sequence[str]) -> bool:
        """Return whether a row says less than half of what its product's first row says."""
        return 2 * self._filled_count(cells) < self._filled_count(self._above)

    def _filled_count(self, cells: Sequence[str]) -> int:
        return sum(bool(cells[place].strip()) for place, _ in self._layout.texts)

    def _filled(self, cells: Sequence[str], above: Sequence[str]) -> list[str]:
        filled = list(cells)
        for place, _ in self._layout.texts:
            # What is said of one picture is not said of the next.
            if place not in self._layout.captions:
                filled[place] = cells[place] or above[place]
        return filled

    def _remember(self, cells: Sequence[str], product: str) -> None:
        for name in (f"id:{product}", self._cell(cells, self._sku)):
            if name:
                self._parents[name] = cells
        while len(self._parents) > _REMEMBERED:
            self._parents.popitem(last=False)

    def _cell(self, cells: Sequence[str], place: int | None) -> str:
        return "" if place is None else cells[place].strip()
