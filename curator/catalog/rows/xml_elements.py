"""Rows of XML: each element that is a product, with what stands in and below it as cells.

Feeds for shopping sites name their products ``item``, ``entry``, ``offer`` and so on; elsewhere the
element that comes most often is the product. Namespaces make no difference: ``g:image_link`` is
``image_link``. Entities that a file defines are refused, and nothing outside it is ever read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from defusedxml import DefusedXmlException, ElementTree

from curator.catalog.reading import reading_bytes
from curator.catalog.rows.row import Rows, rows_of_objects
from shared.errors import InputError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_PRODUCTS: Final = (
    *("item", "entry", "product", "offer", "shopitem", "artikel", "article", "produkt", "produit"),
    *("producto", "prodotto", "listing", "ad", "record", "row"),
)
"""What feeds call a product, in lower case; the first that comes counts."""
_NAMED_BY_ATTRIBUTE: Final = frozenset(
    {"param", "parameter", "attribute", "property", "feature", "field", "spec"}
)
_SNIFFED: Final = 20_000
"""Elements that are looked at to see which is the product."""
_DEEPEST: Final = 6
_NAME_AND_VALUE: Final = 2


@contextmanager
def xml_rows(path: Path) -> Iterator[Rows]:
    """Yield the rows of the XML at ``path``, packed with gzip or not.

    Raises:
        InputError: it is no well-formed XML, defines entities, or holds no element of products.
    """
    try:
        with reading_bytes(path) as file:
            name = _product_name(file, path)
            file.seek(0)
            yield rows_of_objects(enumerate(_products(file, name), start=1))
    except (ElementTree.ParseError, LookupError, UnicodeError) as error:
        raise InputError(
            f"{path}: is no well-formed XML ({error}); have it written anew"
        ) from error
    except DefusedXmlException as error:
        raise InputError(
            f"{path}: defines entities of its own, which are not read; have it written without them"
        ) from error


def _events(file: IO[bytes]) -> Iterator[tuple[str, Element]]:
    # A reference to a DTD is read over: shops' feeds name one, and it is never fetched.
    events: Iterator[tuple[str, Element]] = ElementTree.iterparse(
        file, ("start", "end"), forbid_dtd=False, forbid_entities=True, forbid_external=True
    )
    return events


def _product_name(file: IO[bytes], path: Path) -> str:
    """Return what the element of a product is called."""
    # Those with elements within say more than those with attributes alone.
    with_elements: Counter[str] = Counter()
    with_attributes: Counter[str] = Counter()
    parents: list[str] = []
    for event, element in islice(_events(file), 2 * _SNIFFED):
        name = _local(element.tag)
        if event == "start":
            parents.append(name)
            continue
        parents.pop()
        if not parents and len(element) and not (+with_elements or +with_attributes):
            # One product by itself.
            return name
        if parents:
            with_elements[name] += bool(len(element))
            with_attributes[name] += len(element.attrib) > 1
    counts = +with_elements or +with_attributes
    if not counts:
        raise InputError(f"{path}: holds no elements of products; is it a list of them?")
    called = {name.lower(): name for name in reversed(counts)}
    known = next((called[name] for name in _PRODUCTS if name in called), None)
    return known or counts.most_common(1)[0][0]


def _products(file: IO[bytes], wanted: str) -> Iterator[Mapping[str, Any]]:
    depth = 0
    """How many products are open, one within the other."""
    parents: list[Element] = []
    for event, element in _events(file):
        is_product = _local(element.tag) == wanted
        if event == "start":
            parents.append(element)
            depth += is_product
            continue
        parents.pop()
        depth -= is_product
        if is_product and not depth:
            yield _cells(element)
        if not depth and parents:
            # What was read goes, for a feed may be of any size.
            parents[-1].remove(element)


def _cells(product: Element, depth: int = 0) -> dict[str, Any]:
    """Return what stands below a product by name; a list where there are several of a name."""
    cells: dict[str, Any] = {_local(name): value for name, value in product.attrib.items()}
    for child in product:
        name, value = _named(child, depth + 1)
        if value in ("", {}):
            continue
        if name in product.attrib or name not in cells:
            cells[name] = value
        elif isinstance(cells[name], list):
            cells[name].append(value)
        elif cells[name] != value:
            cells[name] = [cells[name], value]
    return cells


def _named(element: Element, depth: int) -> tuple[str, Any]:
    """Return an element's name and what it says; a ``<param name="Color">`` is called Color."""
    name, text = _local(element.tag), (element.text or "").strip()
    if not len(element):
        # Pictures may stand in an attribute: <image url="..."/>.
        called = element.get("name") if name.lower() in _NAMED_BY_ATTRIBUTE else None
        return called or name, text or dict(element.attrib)
    if depth > _DEEPEST:
        return name, " ".join("".join(element.itertext()).split())
    if len(element) == _NAME_AND_VALUE and not text:
        first, second = element
        if _local(first.tag).lower().endswith("name") and not len(first) and not len(second):
            return (first.text or name).strip(), (second.text or "").strip()
    below = _cells(element, depth)
    # A list of one kind, such as <images><image>..</image></images>, is what it holds.
    return name, next(iter(below.values())) if len(below) == 1 else below


def _local(name: str) -> str:
    return name.rpartition("}")[2].rpartition(":")[2]
