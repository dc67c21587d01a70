"""What is independent of what: the product, not the picture, and less still the row.

Several views of one product, one photo in two listings and near-identical pictures tell the same
about a model. They stay on one side of every split, and intervals draw them together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Final

from shared.dataset.joined import Joined
from shared.dataset.products import MOST_SHARED, names_product
from shared.images.likeness import Look, is_near_identical
from shared.images.lookalikes import buckets_of, exact_look
from shared.records import QAPair

_IMAGE: Final = "image"

_Label = tuple[str, str]


def units_of(pairs: Iterable[QAPair], looks: Mapping[str, Look] | None = None) -> dict[str, str]:
    """Return the unit of each image, named after the first, in order, of its images.

    Images belong together when rows give them one product, listing or unit, and when they look
    alike; whatever is joined to the same image is one. ``looks`` may lack images.
    """
    joined: Joined[_Label] = Joined()
    for name, labels in _labels_by_image(pairs).items():
        joined.add((_IMAGE, name))
        for label in labels:
            joined.join((_IMAGE, name), label)
    _join_lookalikes(joined, looks or {})
    return _images(joined)


def _join_lookalikes(joined: Joined[_Label], looks: Mapping[str, Look]) -> None:
    """Join images that look alike, of which there may be thousands: one of a tree is enough."""
    same: dict[Hashable, _Label] = {}
    buckets: defaultdict[Hashable, dict[_Label, list[Look]]] = defaultdict(dict)
    for name, look in sorted(looks.items(), key=itemgetter(0)):
        label = (_IMAGE, name)
        joined.add(label)
        first = same.setdefault(exact_look(look), label)
        if first is not label:
            joined.join(first, label)
            continue
        for bucket in buckets_of(look):
            _join_in_bucket(joined, buckets[bucket], label, look)


def _join_in_bucket(
    joined: Joined[_Label], trees: dict[_Label, list[Look]], label: _Label, look: Look
) -> None:
    """Join an image to what it looks like in a bucket, and put it there, by the roots of trees."""
    for old in list(trees):
        if (root := joined.root(old)) != old:
            trees.setdefault(root, []).extend(trees.pop(old))
    for root, others in trees.items():
        if root != joined.root(label) and any(is_near_identical(look, other) for other in others):
            joined.join(label, root)
    trees.setdefault(joined.root(label), []).append(look)


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


def _labels_by_image(pairs: Iterable[QAPair]) -> dict[str, set[_Label]]:
    """Return what each image is joined by: no names of more products than share a picture."""
    labels: dict[str, set[_Label]] = {}
    for pair in pairs:
        labels.setdefault(pair.filename, set()).update(_products(pair))
    for name, of_image in labels.items():
        counts = Counter(kind for kind, _ in of_image)
        labels[name] = {label for label in of_image if counts[label[0]] <= MOST_SHARED}
    return labels


def _products(pair: QAPair) -> Iterator[_Label]:
    named = (
        ("product", pair.product),
        ("listing", pair.provenance.listing_id),
        ("unit", pair.unit_id),
    )
    for kind, value in named:
        # Most rows say nothing.
        if value and names_product(value):
            yield kind, value


def _images(joined: Joined[_Label]) -> dict[str, str]:
    """Return each image with the first image of its tree."""
    images = [label for label in joined if label[0] == _IMAGE]
    first: dict[_Label, str] = {}
    for label in images:
        first.setdefault(joined.root(label), label[1])
    return {label[1]: first[joined.root(label)] for label in images}
