"""A table of products as a catalogue, by whatever shop or tool: CSV, JSON, XML, Parquet, Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from curator.catalog.catalog import AsGiven
from curator.catalog.finding.by_id import PicturesById
from curator.catalog.finding.locating import Locator
from curator.catalog.named_columns import NO_COLUMNS, NamedColumns
from curator.catalog.pictures import is_web_address
from curator.catalog.reading import fingerprint_of
from curator.catalog.rows.columnar import holds_pictures, is_columnar
from curator.catalog.rows.opening import rows_of
from curator.catalog.rows.row import Row, Rows
from curator.catalog.shops.registry import shop_of
from curator.catalog.shops.shop import ShopTable
from curator.catalog.skipped import Reason, Skipped
from curator.catalog.tables.cells import packed_fields, picture_names, plain_text, reader_of, said
from curator.catalog.tables.columns import Layout, id_columns, layout_of, own_names
from curator.catalog.tables.products import Products
from shared.errors import InputError
from shared.images.formats import SUFFIXES, UNREAD_SUFFIXES
from shared.program.reporting.event_log import EventLog
from shared.records import ImageRef, Listing
from shared.value_class import value_class

UNPACKED: Final = "_images"
"""Ends the name of the folder that pictures within a table are written to, after the table's."""
log = EventLog(__name__)
_UNPACK: Final = "unpack it, and give the folder or the table in it"
_SAVE_AS: Final = "save it as CSV in UTF-8"
_WAYS_OUT: Final = {
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst"), _UNPACK),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), _SAVE_AS),
    **dict.fromkeys((".html", ".pdf", ".docx", ".db", ".sqlite", ".pkl"), _SAVE_AS),
    **dict.fromkeys(SUFFIXES | UNREAD_SUFFIXES, "it is a picture: give the folder that it is in"),
}
"""What to do with files that are no tables, by the ends of their names."""


def table_catalog(path: Path, given: AsGiven) -> TableCatalog | None:
    """Return the table at ``path``; ``None`` where there is no file.

    Raises:
        InputError: it is no table, is unreadable or has no image column.
    """
    if not path.is_file():
        return None
    if way_out := _WAYS_OUT.get(path.suffix.lower()):
        raise InputError(f"{path}: is no table of text; {way_out}")
    return checked_table(path, [path], given)


def checked_table(path: Path, files: Sequence[Path], given: AsGiven) -> TableCatalog:
    """Return the table at ``path`` that ``files`` hold, having looked at its first rows.

    Raises:
        InputError: it is unreadable or has no image column.
    """
    has_pictures = is_columnar(files[0]) and holds_pictures(files[0])
    beside = path.with_name(f"{path.stem}{UNPACKED}") if has_pictures else files[0].parent
    images_dir = given.images_dir or beside
    table = TableCatalog(path, images_dir, tuple(files), given.columns, has_pictures)
    table.check_columns()
    if has_pictures:
        log.info("pictures_within_written", table=str(path), folder=str(images_dir))
    return table


@value_class
class TableCatalog:
    """A table with columns of images; what tells about products is metadata.

    ``files`` are its shards, or the one file that it is. Where ``has_pictures`` within, these are
    written below ``images_dir`` as they are read.
    """

    path: Path
    images_dir: Path
    files: tuple[Path, ...]
    columns: NamedColumns = NO_COLUMNS
    has_pictures: bool = False

    def check_columns(self) -> None:
        """Raise ``InputError`` where the file is unreadable or has no image column."""
        with self._opened():
            pass

    def fingerprint(self) -> str | None:
        """Return a digest of the files' names, sizes and times."""
        digest = fingerprint_of(self.files) + str(self.columns)
        if not self.has_pictures:
            return digest
        # Where pictures were removed, only reading the table brings them back.
        return f"{digest} {sum(1 for _ in self.images_dir.iterdir())}"

    def listings(self, skipped: Skipped) -> Iterator[Listing]:
        """Yield one listing for each image of a row; repeated ones are the ledger's to tell."""
        with self._opened() as (rows, reader):
            yield from reader.listings(rows, skipped)

    def urls(self) -> Iterator[str]:
        """Yield the URLs by which rows name pictures, in order, with repeats."""
        with self._opened() as (rows, reader):
            for row in rows.all:
                if len(row.cells) == len(rows.columns):
                    yield from filter(is_web_address, reader.names(row))

    @contextmanager
    def _opened(self) -> Iterator[tuple[Rows, _RowReader]]:
        with rows_of(self.files, self.images_dir) as rows:
            shop = shop_of(rows.columns)
            layout, locator = self._layout(rows, shop)
            products = Products(rows.columns, layout, shop)
            texts = _texts(rows, layout)
            several = [text for text in texts if text.place not in layout.captions]
            yield rows, _RowReader(layout, locator, products, texts, several)

    def _layout(self, rows: Rows, shop: ShopTable) -> tuple[Layout, Locator]:
        """Return what columns are for, and what finds what they name: ids if need be."""
        named = own_names(self.columns, rows.columns, self.files[0])
        beside = self.files[0].parent
        locator = Locator(self.images_dir, beside)
        # Not beside the table, where other pictures may lie.
        may_be_ids = self.images_dir != beside
        by_id = Locator(self.images_dir, beside, PicturesById(self.images_dir))
        if named.images and may_be_ids:
            locator = by_id
        try:
            return layout_of(rows, shop, locator.has, named, self.path), locator
        except InputError:
            if not may_be_ids:
                raise
            layout = layout_of(rows, shop, by_id.has, named, self.path)
            if not set(layout.images) <= id_columns(rows.columns):
                raise
            return layout, by_id


class _Text(NamedTuple):
    """A column that says something of products: its place, its name, and what reads its cells."""

    place: int
    name: str
    said: Callable[[str], str]


def _texts(rows: Rows, layout: Layout) -> list[_Text]:
    whole = [row.cells for row in rows.first if len(row.cells) == len(rows.columns)]
    return [
        _Text(place, name, reader_of([cells[place] for cells in whole]))
        for place, name in layout.texts
        if name
    ]


@value_class
class _RowReader:
    """Makes listings of rows, which come in order.

    ``texts`` is where what is said of products stands, ``texts_of_several`` the same without what
    is said of one picture.
    """

    layout: Layout
    locator: Locator
    products: Products
    texts: Sequence[_Text]
    texts_of_several: Sequence[_Text]

    def listings(self, rows: Rows, skipped: Skipped) -> Iterator[Listing]:
        """Yield a listing for each picture of a row, in order, counting what is left out."""
        # In one go and with names of its own, for a table may have millions of rows.
        width, only, *others = len(rows.columns), *self.layout.images
        completed, is_path, told = self.products.completed, self.locator.is_path, self._metadata
        for row in rows.all:
            line, own = row
            if len(own) != width:
                skipped.add(Reason.LONG_ROW, f"line {line}")
                continue
            product, group, cells, goes_on = completed(own)
            path = own[only]
            if not others and is_path(path):
                metadata = told(cells, self.texts)
                yield Listing(product or path, ImageRef(path, path), metadata, group)
                continue
            names = self.names(row)
            if not names and not goes_on:
                skipped.add(Reason.WITHOUT_IMAGE, f"line {line}")
            if paths := self._paths(names, skipped):
                # Of several pictures in a row, a caption is about one: nobody knows which.
                texts = self.texts if len(paths) == 1 else self.texts_of_several
                metadata, listing_id = told(cells, texts), product or paths[0]
                for path in paths:
                    yield Listing(listing_id, ImageRef(path, path), metadata, group)

    def names(self, row: Row) -> list[str]:
        """Return the names, paths or URLs of a row's pictures."""
        return [name for place in self.layout.images for name in picture_names(row.cells[place])]

    def _paths(self, names: Sequence[str], skipped: Skipped) -> Sequence[str]:
        paths: dict[str, None] = {}
        for name in dict.fromkeys(names):
            place = self.locator.locate(name)
            if isinstance(place, Reason):
                skipped.add(place, name)
            else:
                paths[place] = None
        return list(paths)

    def _metadata(self, cells: Sequence[str], columns: Sequence[_Text]) -> dict[str, str]:
        texts = {}
        for place, name, told in columns:
            if text := told(cells[place]):
                texts[name] = text
        if not self.layout.attributes and self.layout.packed is None:
            return texts
        for named_by, value in self.layout.attributes:
            texts[plain_text(cells[named_by])] = said(cells[value])
        if self.layout.packed is not None:
            packed = packed_fields(cells[self.layout.packed])
            texts |= {name: "" if is_web_address(text) else text for name, text in packed.items()}
        return {name: text for name, text in texts.items() if name and text}
