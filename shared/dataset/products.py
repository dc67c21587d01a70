"""What a cell says of a product, and how many may share a picture."""

from __future__ import annotations

from typing import Final

NO_PRODUCT: Final = frozenset({"", "-", "n/a", "na", "nan", "nil", "none", "null", "unknown"})
"""What a cell holds, in lower case, that names no product."""
MOST_SHARED: Final = 10
"""A picture of more products than that is a size chart, or stands for a photo that is missing; it
joins none of them."""


def names_product(cell: str) -> bool:
    """Tell whether a cell names a product or listing."""
    return cell.lower() not in NO_PRODUCT
