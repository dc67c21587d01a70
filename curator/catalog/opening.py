"""Opens whatever catalogue stands at a path."""

from __future__ import annotations

from pathlib import Path

from curator.catalog.abo import abo_catalog
from curator.catalog.catalog import Catalog
from curator.catalog.folder import FolderCatalog
from curator.catalog.table import TableCatalog
from shared.errors import InputError


def open_catalog(path: Path, images_dir: Path | None = None) -> Catalog:
    """Return the catalogue at ``path``, having looked that its files are there.

    ``images_dir`` overrides where the images are.

    Raises:
        InputError: nothing there, not a catalogue, or no images folder.
    """
    if not path.exists():
        raise InputError(f"{path}: no such catalogue; give an ABO download, a CSV or a folder")
    if images_dir is not None:
        _require_folder(images_dir)
    if path.is_file():
        table = TableCatalog(path, images_dir or path.parent)
        table.check_columns()
        return table
    if (abo := abo_catalog(path, images_dir)) is not None:
        _require_folder(abo.images_dir)
        return abo
    return FolderCatalog(path, images_dir or path)


def _require_folder(images_dir: Path) -> None:
    if not images_dir.is_dir():
        raise InputError(f"{images_dir}: no such images folder; give --images DIR")
