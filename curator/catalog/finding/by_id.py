"""Finds pictures by id: files called so, in whatever folder below the images folder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from curator.catalog.folder import FolderCatalog
from curator.catalog.skipped import Skipped

_SEVERAL: Final = ""


class PicturesById:
    """The pictures below a folder by their names without suffix, listed when first asked for."""

    def __init__(self, images_dir: Path) -> None:
        self._images_dir = images_dir

    def path_of(self, name: str) -> str | None:
        """Return the path of the only picture that is called ``name``."""
        return self._paths.get(_key(name)) or None

    @cached_property
    def _paths(self) -> dict[str, str]:
        paths: dict[str, str] = {}
        for listing in FolderCatalog(self._images_dir, self._images_dir).listings(Skipped()):
            path = listing.image.path
            key = _key(PurePosixPath(path).stem)
            paths[key] = _SEVERAL if key in paths else path
        return paths


def _key(name: str) -> str:
    """Return an id without what a spreadsheet does to it: zeros at the start go, ``.0`` comes."""
    digits = name.removesuffix(".0")
    return digits.lstrip("0") if digits.isdecimal() else name
