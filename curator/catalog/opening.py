"""Opens whatever catalogue stands at a path."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from curator.catalog.abo import abo_catalog
from curator.catalog.catalog import Catalog
from curator.catalog.folder import FolderCatalog
from curator.catalog.tables.table import TableCatalog
from shared.errors import InputError
from shared.images.formats import SUFFIXES, UNREAD_SUFFIXES

_UNPACK: Final = "unpack it, and give the folder or the table in it"
_SAVE_AS: Final = "save it as CSV in UTF-8"
_WAYS_OUT: Final = {
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst"), _UNPACK),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods", ".numbers", ".parquet"), _SAVE_AS),
    **dict.fromkeys((".feather", ".arrow", ".xml", ".html", ".pdf", ".docx", ".db"), _SAVE_AS),
    **dict.fromkeys(SUFFIXES | UNREAD_SUFFIXES, "it is a picture: give the folder that it is in"),
}
"""What to do with files that are no tables of text, by the ends of their names."""


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
    if path.is_file():
        if way_out := _WAYS_OUT.get(path.suffix.lower()):
            raise InputError(f"{path}: is no table of text; {way_out}")
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
