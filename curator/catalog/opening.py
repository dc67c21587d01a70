"""Opens whatever catalogue stands at a path: the registry of formats, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from curator.catalog.abo import abo_catalog
from curator.catalog.catalog import Catalog
from curator.catalog.folder import folder_catalog
from curator.catalog.tables.table import table_catalog
from curator.catalog.tables.table_folder import table_folder_catalog
from shared.errors import InputError

FORMATS: Final[Sequence[Callable[[Path, Path | None], Catalog | None]]] = (
    table_catalog,
    abo_catalog,
    table_folder_catalog,
    folder_catalog,
)
"""Each returns the catalogue at a path, or ``None`` where that is none of its format; the first
that has one counts. The other argument is the images folder, if it is not the catalogue's own."""


def open_catalog(path: Path, images_dir: Path | None = None) -> Catalog:
    """Return the catalogue at ``path``, having looked that its files are there.

    ``images_dir`` overrides where the images are.

    Raises:
        InputError: nothing there, not a catalogue, or no images folder.
    """
    if not path.exists():
        raise InputError(f"{path}: no such catalogue; give an ABO download, a table or a folder")
    if images_dir is not None:
        _require_folder(images_dir)
    opened = (open_format(path, images_dir) for open_format in FORMATS)
    catalog = next((each for each in opened if each is not None), None)
    if catalog is None:
        raise InputError(f"{path}: no catalogue; give an ABO download, a table or a folder")
    _require_folder(catalog.images_dir)
    return catalog


def _require_folder(images_dir: Path) -> None:
    if not images_dir.is_dir():
        raise InputError(f"{images_dir}: no such images folder; give --images DIR")
