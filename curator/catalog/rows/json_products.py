"""Finds in JSON the objects that are products, however deep the answer of an API wraps them; pure.

A product is an object that names pictures. Where none does, the objects of the list that is called
as lists of products are, or of the only list, are taken for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from curator.catalog.pictures import is_web_address, looks_like_picture

WRAPPINGS: Final = frozenset(
    {"products", "items", "results", "data", "records", "rows", "listings", "entries", "docs"}
)
"""What the list of all products is called beside other things, such as their number."""
_ANNOTATED: Final = frozenset({"images", "annotations"})
"""What a file in COCO's format holds; its list of images is one of rows."""
_COVERS: Final = ("node", "_source", "fields", "attributes", "product", "item")
"""Where GraphQL, Elasticsearch, Airtable, Strapi and others put the object itself."""
_PICTURE: Final = re.compile(r"image|img|picture|photo|gallery|thumbnail|media", re.IGNORECASE)
_LABELS: Final = ("name", "title", "label")
_LABEL: Final = "listed under"
_DEEPEST: Final = 8

Object = Mapping[str, Any]


def products_in(value: object) -> Sequence[Object]:
    """Return the products in a JSON value, in order; nothing where it holds no objects.

    Those of a list within an object, such as a category, are said to be listed under its name.
    """
    if isinstance(value, dict) and value.keys() >= _ANNOTATED:
        return _objects(value["images"])
    return [*_with_pictures(value, 0)] or _objects(value) or _of_one_list(value)


def is_wrapping(value: Object) -> bool:
    """Return whether an object, perhaps a line of many, is no product but holds a list of them."""
    if _names_picture(value):
        # A product may have a list of such a name too.
        return False
    if value.keys() >= _ANNOTATED or _are_records(list(value.values())):
        return True
    lists = [name for name, entry in value.items() if _objects(entry)]
    return len(lists) == 1 and (len(value) == 1 or bool(WRAPPINGS & set(lists)))


def _with_pictures(value: object, depth: int) -> Iterator[Object]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        yield from _in_list(value, depth)
    elif isinstance(value, dict):
        if _names_picture(value) and (depth or not WRAPPINGS & value.keys()):
            yield value
            return
        if _are_records(list(value.values())):
            value = {"": [{"id": name, **entry} for name, entry in value.items()]}
        for entry in value.values():
            if isinstance(entry, dict | list):
                for product in _with_pictures(entry, depth + 1):
                    yield _labelled(product, value) if depth else product


def _in_list(entries: Sequence[object], depth: int) -> Iterator[Object]:
    objects = [_uncovered(entry) for entry in entries if isinstance(entry, dict)]
    if any(map(_names_picture, objects)):
        # With those that have none, which are to be counted.
        yield from objects
        return
    for entry in objects:
        yield from _with_pictures(entry, depth + 1)


def _labelled(product: Object, above: Object) -> Object:
    """Return a product that says what it is listed under: the category's or the product's name."""
    label = next((above[key] for key in _LABELS if isinstance(above.get(key), str)), "")
    if not label:
        return product
    below = product.get(_LABEL)
    return {**product, _LABEL: f"{label} > {below}" if below else label}


def _uncovered(entry: Object) -> Object:
    if _names_picture(entry):
        return entry
    for cover in _COVERS:
        inner = entry.get(cover)
        if isinstance(inner, dict):
            return {**({"id": entry["id"]} if "id" in entry else {}), **inner}
    return entry


def _names_picture(entry: Object) -> bool:
    return any(
        (isinstance(cell, str) and looks_like_picture(cell))
        or (bool(_PICTURE.search(str(name))) and _may_be_pictures(cell, 0))
        for name, cell in entry.items()
    )


def _may_be_pictures(cell: object, depth: int) -> bool:
    if depth > _DEEPEST:
        return False
    match cell:
        case str():
            return looks_like_picture(cell) or is_web_address(cell)
        case list():
            return bool(cell) and _may_be_pictures(cell[0], depth + 1)
        case dict():
            return any(_may_be_pictures(part, depth + 1) for part in cell.values())
    return False


def _objects(value: object) -> list[Object]:
    entries = value if isinstance(value, list) else []
    return [_uncovered(e) for e in entries] if all(isinstance(e, dict) for e in entries) else []


def _of_one_list(value: object) -> list[Object]:
    if not isinstance(value, dict):
        return []
    if _are_records(list(value.values())):
        return [{"id": name, **entry} for name, entry in value.items()]
    lists = {name: objects for name, entry in value.items() if (objects := _objects(entry))}
    called = [objects for name, objects in lists.items() if name in WRAPPINGS]
    if called or len(lists) == 1:
        return (called or [*lists.values()])[0]
    inner = [entry for entry in value.values() if isinstance(entry, dict)]
    return _of_one_list(inner[0]) if len(inner) == 1 else []


def _are_records(values: Sequence[Any]) -> bool:
    """Return whether values are several objects with fields in common, as those of one kind."""
    if len(values) <= 1 or not all(isinstance(value, dict) for value in values):
        return False
    return bool(set(values[0]).intersection(*values[1:]))
