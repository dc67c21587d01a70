"""What can be known of a shop's tables; pure."""

from __future__ import annotations

from shared.value_class import value_class


@value_class
class ShopTable:
    """A kind of table, told by columns that only it has; all names in lower case.

    ``product`` names a row's product; empty where any usual column may. ``parent`` names, by SKU or
    ``id:NUMBER``, the product that a row is a variation of. A row goes on with the product above
    where it names the same one, or none and ``blank_goes_on``. Columns that start with one of
    ``leaves_out`` say nothing about a product's pictures.
    """

    told_by: frozenset[str]
    product: str = ""
    parent: str = ""
    blank_goes_on: bool = False
    leaves_out: tuple[str, ...] = ()
    kind: str = ""
    """The column that says what a row is."""
    goes_on: frozenset[str] = frozenset()
    """What stands there in rows that go on with the product above."""
    packed: str = ""
    """The column whose cells hold several fields, as ``color=Blue,material=Canvas``."""
