"""Opens whatever catalogue stands at a path: the registry of formats, one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from curator.catalog.abo import abo_catalog
from curator.catalog.catalog import AsGiven, Catalog
from curator.catalog.folder import folder_catalog
from curator.catalog.named_columns import NO_COLUMNS, NamedColumns
from curator.catalog.tables.table import TableCatalog, table_catalog
from curator.catalog.tables.table_folder import table_folder_catalog
from shared.errors import InputError

FORMATS: Final[Sequence[Callable[[Path, AsGiven], Catalog | None]]] = (
    abo_catalog,
    table_catalog,
    table_folder_catalog,
    folder_catalog,
)
"""Each returns the catalogue at a path, or ``None`` where that is none of its format; the first
that has one counts. The other argument is what the user said of it."""


def open_catalog(
    path: Path, images_dir: Path | None = None, columns: NamedColumns = NO_COLUMNS
) -> Catalog:
    """Return the catalogue at ``path``, having looked that its files are there.

    ``images_dir`` overrides where the images are, ``columns`` which columns of a table hold what.

    Raises:
        InputError: nothing there, not a catalogue, no images folder, or no such column.
    """
    if not path.exists():
        raise InputError(f"{path}: no such catalogue; give an ABO download, a table or a folder")
    if images_dir is not None:
        _require_folder(images_dir)
    given = AsGiven(images_dir, columns)
    opened = (open_format(path, given) for open_format in FORMATS)
    catalog = next((each for each in opened if each is not None), None)
    if catalog is None:
        raise InputError(f"{path}: no catalogue; give an ABO download, a table or a folder")
    if columns and not isinstance(catalog, TableCatalog):
        raise InputError(f"--columns names columns of a table, and {path} is none")
    _require_folder(catalog.images_dir)
    return catalog


def picture_urls(path: Path, images_dir: Path, columns: NamedColumns) -> Iterator[str]:
    """Yield the URLs by which the catalogue at ``path`` names pictures, in order, with repeats.

    Raises:
        InputError: as ``open_catalog``, or it is no table.
    """
    catalog = open_catalog(path, images_dir, columns)
    if not isinstance(catalog, TableCatalog):
        raise InputError(f"{path}: is no table, and only tables name pictures by URL")
    yield from catalog.urls()


def _require_folder(images_dir: Path) -> None:
    if not images_dir.is_dir():
        raise InputError(f"{images_dir}: no such images folder; give --images DIR")
