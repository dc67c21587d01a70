"""What a table's columns are for, by their names and by what stands in them.

The columns of pictures: one that names a product's picture, the best of those that could, and all
that name further ones (``Images``, ``image_2``, ``Additional Images``). Without any such name, the
column whose cells look like pictures, or whose cells name files of the images folder.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from curator.catalog.named_columns import NamedColumns
from curator.catalog.pictures import is_web_address, looks_like_picture
from curator.catalog.rows.row import Rows
from curator.catalog.shops.shop import ShopTable
from curator.catalog.tables.cells import picture_names
from shared.errors import InputError
from shared.records import COLUMN_ALIASES
from shared.records.columns import columns_text, own_name
from shared.value_class import value_class

LISTING_COLUMNS: Final = (
    *("listing_id", "item_id", "product_id", "id", "handle", "handleid", "product_code"),
    *("product_sku", "uniq_id", "item_sku", "sku", "asin", "pid", "article_id", "parent_asin"),
    *(
        "custom_label",
        "customlabel",
        "item_number",
        "product_number",
        "article_number",
        "artikelnummer",
    ),
    *("artikelnr", "artikel_nr", "art_nr", "artnr", "produktnummer", "referencia", "codice"),
)
_USUAL: Final = tuple(COLUMN_ALIASES["filename"])
_PICTURE: Final = re.compile(
    r"image|img|picture|photo|attachment|\bpics?\b|filename|\bfile\b|path|gallery|\bmedia\b"
    r"|bild|foto|imagen|imagem|immagin|obraz|afbeelding|zdjeci"
)
_ABOUT_IT: Final = re.compile(
    r"\b(alt|texts?|titles?|captions?|position|sort|width|height|labels?|count|type|description"
    r"|is)\b"
)
_SAID_OF_IT: Final = re.compile(r"\b(alt|texts?|titles?|captions?|labels?|description)\b")
_FURTHER: Final = re.compile(
    r"images|imgs|pictures|photos|pics\b|gallery|\d|additional|other|alternat|extra|variant"
    r"|bilder|fotos|\bmedia\b|\b(front|back|side|detail|second|weitere)\b"
)
_LESSER: Final = re.compile(r"thumb|small|swatch|icon|logo")
_UNTELLING: Final = re.compile(
    r"\b(price|cost|mrp|msrp|sku|barcode|gtin|ean|upc|isbn|asin|mpn|qty|quantity|stock|inventory"
    r"|tax|currency|status|published|visible|visibility|url|uri|link|href|timestamp|date|created"
    r"|updated|modified|seo|position|sort|fulfillment|shipping|id|ids|uid|uuid|pid|discount"
    r"|sale|backorders|parent|unnamed|handle|slug|rating|ratings|reviews|availability|available"
    r"|active|meta|embedding|embeddings|global|websites|video|videos|preis|bestand|lager|mwst|prix|precio|prezzo"
    r"|product number|item number|art nr|artnr|artikelnr|artikelnummer|currency code|tax class)\b"
    r"|^is\b|^in stock"
)
_MOST: Final = 0.5
"""Share of cells from which on a column is one of pictures by what stands in it."""
_TRIED: Final = 40
"""Cells with something in them that are looked for in the images folder."""


@value_class
class Layout:
    """The places of columns: of pictures, of the product's id, and those with texts by name.

    ``group`` is that of what several such products are variants of. ``attributes`` are pairs of
    columns, of which one names what the other one holds. ``captions`` are those of ``texts`` that
    say something about one picture rather than its product. ``packed`` is that of several fields.
    """

    images: tuple[int, ...]
    product: int | None
    group: int | None
    texts: tuple[tuple[int, str], ...]
    attributes: tuple[tuple[int, int], ...]
    captions: frozenset[int] = frozenset()
    packed: int | None = None


@value_class
class _Column:
    """A column and what its first cells hold, as shares of those with something in them."""

    place: int
    name: str
    looks: float
    present: float
    is_empty: bool

    @property
    def words(self) -> str:
        return _words(self.name)

    @property
    def is_named(self) -> bool:
        return bool(_PICTURE.search(self.words)) and not _ABOUT_IT.search(self.words)

    @property
    def is_about_picture(self) -> bool:
        return bool(_PICTURE.search(self.words)) and bool(_ABOUT_IT.search(self.words))

    @property
    def is_further(self) -> bool:
        return bool(_FURTHER.search(self.words))

    @property
    def is_lesser(self) -> bool:
        return bool(_LESSER.search(self.words))

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Sorts the best column first."""
        name = self.name.strip().lower()
        usual = _USUAL.index(name) if name in _USUAL else len(_USUAL)
        return (not self.present, not self.looks, usual, self.place)


def layout_of(
    rows: Rows,
    shop: ShopTable,
    is_there: Callable[[str], bool],
    named: NamedColumns,
    path: Path,
) -> Layout:
    """Return what the columns of the table at ``path`` are for, judged by its first rows.

    What is ``named``, as the table names it (see ``own_names``), is taken as it is said.

    Raises:
        InputError: no column names pictures.
    """
    columns = rows.columns
    whole = [row.cells for row in rows.first if len(row.cells) == len(columns)]
    judged = [
        _judged(place, name, [cells[place] for cells in whole], is_there)
        for place, name in enumerate(columns)
    ]
    images = tuple(map(columns.index, named.images)) or _image_columns(judged)
    if not columns:
        raise InputError(f"{path}: is empty; give a table that names images in a column `filename`")
    if not images:
        have = columns_text(columns)
        raise InputError(
            f"{path}: no image column by name ({', '.join(_USUAL)}, ...) or content; "
            f"its columns: {have}; name the images in a column `filename`, say which column it is "
            "with --columns image=NAME, or give the folder whose files are called as ids with "
            "--images DIR"
        )
    product = _product_column(columns, shop)
    if named.listing is not None:
        product = columns.index(named.listing) if named.listing else None
    telling = [column for column in judged if _tells(column, shop)]
    attributes = _attributes(telling)
    group = _group_column(columns, product, shop)
    if named.product is not None:
        group = columns.index(named.product) if named.product else None
    others = {product, group, *images, *(place for pair in attributes for place in pair)}
    said, left_out = _said_texts(named, columns)
    others |= left_out | {place for place, _ in said}
    found = (text for text in _named_apart(telling) if text[0] not in others)
    texts = (*said, *found)
    captions = frozenset(column.place for column in telling if column.is_about_picture)
    packed = next(_places(columns, (shop.packed,)), None) if shop.packed else None
    return Layout(images, product, group, texts, attributes, captions, packed)


def own_names(named: NamedColumns, columns: Sequence[str], path: Path) -> NamedColumns:
    """Return the same with columns spelt as the table at ``path`` does.

    Raises:
        InputError: it has no such column; those that it has are named.
    """

    def own(name: str) -> str:
        return own_name(path, columns, name)

    return NamedColumns(
        tuple(map(own, named.images)),
        named.listing and own(named.listing),
        named.product and own(named.product),
        {
            (text if column else own(text)): column and own(column)
            for text, column in named.texts.items()
        },
    )


def _said_texts(
    named: NamedColumns, columns: Sequence[str]
) -> tuple[tuple[tuple[int, str], ...], set[int]]:
    """Return the texts that a user names, with their places, and the places left out."""
    said = tuple((columns.index(column), text) for text, column in named.texts.items() if column)
    return said, {columns.index(text) for text, column in named.texts.items() if not column}


def id_columns(columns: Sequence[str]) -> set[int]:
    """Return the places of columns that are called as ids of products are."""
    return set(_places(columns, LISTING_COLUMNS))


def _named_apart(columns: Sequence[_Column]) -> Iterator[tuple[int, str]]:
    """Yield the places of columns with names that differ."""
    counts: Counter[str] = Counter()
    for column in columns:
        name = column.name.strip()
        counts[name] += 1
        yield column.place, name if counts[name] == 1 else f"{name} {counts[name]}"


def _attributes(columns: Sequence[_Column]) -> tuple[tuple[int, int], ...]:
    """Return pairs such as ``Attribute 1 name`` and ``Attribute 1 value(s)``."""
    places = {column.words: column.place for column in columns}
    pairs = (
        (place, places.get(f"{name.removesuffix(' name')} value{plural}"))
        for name, place in places.items()
        if name.endswith(" name")
        for plural in ("", " s", "s")
    )
    return tuple((name, value) for name, value in pairs if value is not None)


def _judged(
    place: int, name: str, cells: Sequence[str], is_there: Callable[[str], bool]
) -> _Column:
    filled = list(islice((names for cell in cells if (names := picture_names(cell))), _TRIED))
    looking = [names for names in filled if any(map(looks_like_picture, names))]
    addresses = [names for names in filled if any(map(is_web_address, names))]
    if _PICTURE.search(_words(name)):
        looking = looking or addresses
    present = [names for names in filled if any(map(is_there, names[:3]))]
    count = max(1, len(filled))
    return _Column(place, name, len(looking) / count, len(present) / count, not filled)


def _image_columns(judged: Sequence[_Column]) -> tuple[int, ...]:
    named = [column for column in judged if column.is_named and (column.looks or column.present)]
    full_size = [column for column in named if not column.is_lesser] or named
    single = sorted((c for c in full_size if not c.is_further), key=lambda column: column.rank)
    further = [column for column in full_size if column.is_further]
    if any(column.present for column in further):
        single = [column for column in single if column.present]
    best = [column for column in single if column.name.lower() == single[0].name.lower()]
    if chosen := [*best, *further]:
        return tuple(sorted(column.place for column in chosen))
    return _unnamed_column(judged)


def _unnamed_column(judged: Sequence[_Column]) -> tuple[int, ...]:
    """Return the column that holds pictures by content, or else is named as if it did."""
    telling = [column for column in judged if column.looks >= _MOST or column.present]
    if telling:
        return (min(telling, key=lambda c: (-c.present, -c.looks, c.place)).place,)
    usual = [
        column
        for column in judged
        if column.name.strip().lower() in _USUAL or (column.is_named and column.is_empty)
    ]
    return tuple(column.place for column in sorted(usual, key=lambda column: column.rank)[:1])


def _product_column(columns: Sequence[str], shop: ShopTable) -> int | None:
    wanted = (shop.product,) if shop.product else LISTING_COLUMNS
    return next(_places(columns, wanted), None)


def _group_column(columns: Sequence[str], product: int | None, shop: ShopTable) -> int | None:
    """Return the column of the wider product, unless the shop has a rule for it."""
    wanted = () if shop.product else COLUMN_ALIASES["product"]
    place = next(_places(columns, wanted), None)
    return None if place == product else place


def _places(columns: Sequence[str], wanted: Iterable[str]) -> Iterator[int]:
    places = {name.strip().lower(): place for place, name in reversed(list(enumerate(columns)))}
    by_words = {_words(name).replace(" ", "_"): place for name, place in places.items()}
    return (table[name] for name in wanted for table in (places, by_words) if name in table)


def _tells(column: _Column, shop: ShopTable) -> bool:
    name = column.name.strip().lower()
    return bool(
        name
        and not name.startswith(shop.leaves_out)
        and name not in {shop.kind, shop.parent, shop.packed}
        and not _UNTELLING.search(column.words)
        and not (column.is_named and column.looks)
        and column.looks < _MOST
        and not (column.is_about_picture and not _SAID_OF_IT.search(column.words))
    )


def _words(name: str) -> str:
    """Return a column's name as lower-case words: ``productImageUrl`` is "product image url"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+|(?<=[A-Za-z])(?=\d)", " ", name)
    return " ".join(apart.lower().split())
