"""What is independent of what: the product, not the picture, and less still the row.

Several views of one product, one photo in two listings and near-identical pictures tell the same
about a model. They stay on one side of every split, and intervals draw them together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Final

from shared.images.likeness import Look
from shared.lookalikes import Lookalikes
from shared.records import QAPair

NO_PRODUCT: Final = frozenset({"", "-", "n/a", "na", "nan", "nil", "none", "null", "unknown"})
"""What a cell holds, in lower case, that names no product."""

_Label = tuple[str, str]


def units_of(pairs: Iterable[QAPair], looks: Mapping[str, Look] | None = None) -> dict[str, str]:
    """Return the unit of each image, named after the first, in order, of its images.

    Images belong together when rows give them one product, listing or unit, and when they look
    alike; whatever is joined to the same image is one. ``looks`` may lack images.
    """
    joined = _Joined()
    for pair in pairs:
        image = ("image", pair.filename)
        joined.add(image)
        for label in _products(pair):
            joined.join(image, label)
    index: Lookalikes[str] = Lookalikes()
    for name, look in sorted((looks or {}).items(), key=itemgetter(0)):
        joined.add(("image", name))
        for other in index.of(look):
            joined.join(("image", name), ("image", other))
        index.add(name, look)
    return joined.images()


def members(units: Mapping[str, str]) -> list[list[str]]:
    """Return the images of each unit, all in order."""
    groups: dict[str, list[str]] = {}
    for name in sorted(units):
        groups.setdefault(units[name], []).append(name)
    return list(groups.values())


def names_products(pairs: Iterable[QAPair]) -> bool:
    """Tell whether any row says which product it is about."""
    return any(kind != "unit" for pair in pairs for kind, _ in _products(pair))


def independent_unit(pairs: Collection[QAPair]) -> str:
    """Return, in words, what the units of these rows are."""
    looked_at = any(pair.unit_id for pair in pairs)
    unit = "image" if any(pair.names_image for pair in pairs) else "row"
    unit = "product" if names_products(pairs) else unit
    return f"{unit}, look-alikes together" if looked_at else unit


def counted(count: int, unit: str) -> str:
    """Return how many there are, in words: "1 row", "20 products, look-alikes together"."""
    noun, comma, rest = unit.partition(",")
    return f"{count:,} {noun}{'' if count == 1 else 's'}{comma}{rest}"


def _products(pair: QAPair) -> Iterator[_Label]:
    known = (
        ("product", pair.product),
        ("listing", pair.provenance.listing_id),
        ("unit", pair.unit_id),
    )
    for kind, value in known:
        if value.lower() not in NO_PRODUCT:
            yield kind, value


class _Joined:
    """Labels that belong together, as trees (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[_Label, _Label] = {}

    def add(self, label: _Label) -> None:
        self._parent.setdefault(label, label)

    def join(self, left: _Label, right: _Label) -> None:
        self.add(left)
        self.add(right)
        first, second = sorted((self._root(left), self._root(right)))
        self._parent[second] = first

    def images(self) -> dict[str, str]:
        """Return each image with the first image of its tree."""
        roots = {label: self._root(label) for label in sorted(self._parent) if label[0] == "image"}
        first: dict[_Label, str] = {}
        for (_, name), root in roots.items():
            first.setdefault(root, name)
        return {name: first[root] for (_, name), root in roots.items()}

    def _root(self, label: _Label) -> _Label:
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label
