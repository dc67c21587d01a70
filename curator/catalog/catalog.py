"""Streams a catalogue into listings: an ABO download, a CSV or a folder of images.

One listing comes out for each image that a product has. Rows that cannot be used are counted by
reason in a ``Counter`` that the caller passes, never silently dropped.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from shared.errors import InputError
from shared.images.formats import is_picture
from shared.records import COLUMN_ALIASES, ImageRef, Listing

ABO_FIELDS: Final = (
    "item_name",
    "product_type",
    "color",
    "material",
    "fabric_type",
    "finish_type",
    "pattern",
    "style",
    "item_shape",
    "brand",
    "bullet_point",
    "item_keywords",
)
"""What of an ABO listing goes into the prompt, most telling first."""
LISTING_COLUMNS: Final = ("listing_id", "item_id", "product_id", "id")

WITHOUT_IMAGE: Final = "without image"
UNKNOWN_IMAGE: Final = "image id not in images.csv.gz"
OUTSIDE: Final = "image outside the images folder"


class Catalog(Protocol):
    """A source of listings. ``images_dir`` is what the listings' paths are below."""

    @property
    def path(self) -> Path:
        """Where the catalogue is."""
        ...

    @property
    def images_dir(self) -> Path:
        """The folder that holds the images."""
        ...

    def fingerprint(self) -> str | None:
        """Return what changes when the catalogue does; ``None`` where only reading it tells.

        Raises:
            InputError: a file of the catalogue is gone.
        """
        ...

    def listings(self, skipped: Counter[str]) -> Iterator[Listing]:
        """Yield the listings in the catalogue's order, counting what is left out.

        Raises:
            InputError: a file of the catalogue is unreadable; the message names it.
        """
        ...


def open_catalog(path: Path, images_dir: Path | None = None) -> Catalog:
    """Return the catalogue at ``path``, having looked that its files are there.

    ``images_dir`` overrides where the images are.

    Raises:
        InputError: nothing there, not a catalogue, or no images folder.
    """
    if not path.exists():
        raise InputError(f"{path}: no such catalogue; give an ABO download, a CSV or a folder")
    catalog: Catalog
    if path.is_file():
        catalog = CsvCatalog(path, images_dir or path.parent)
        catalog.check_columns()
    elif (path / "listings" / "metadata").is_dir():
        catalog = AboCatalog(path, images_dir or path / "images" / "small")
        catalog.check_files()
    else:
        catalog = FolderCatalog(path, images_dir or path)
    if not catalog.images_dir.is_dir():
        raise InputError(f"{catalog.images_dir}: no such images folder; give --images DIR")
    return catalog


@dataclass(frozen=True, slots=True)
class AboCatalog:
    """An ABO download as it is."""

    path: Path
    images_dir: Path

    def check_files(self) -> None:
        """Raise ``InputError`` where the download lacks a file."""
        if not self._index_file.is_file():
            raise InputError(f"{self._index_file}: missing; it maps image ids to files")
        if not self._listing_files():
            raise InputError(f"{self.path}: no listings_*.json.gz in listings/metadata")

    def fingerprint(self) -> str | None:
        """Return a digest of the files' names, sizes and times."""
        return _fingerprint([self._index_file, *self._listing_files()])

    def listings(self, skipped: Counter[str]) -> Iterator[Listing]:
        """Yield one listing for each main and other image."""
        paths = self._image_paths()
        for file in self._listing_files():
            for product in _json_lines(file):
                yield from _abo_listings(product, paths, skipped)

    @property
    def _index_file(self) -> Path:
        return self.path / "images" / "metadata" / "images.csv.gz"

    def _listing_files(self) -> list[Path]:
        return sorted((self.path / "listings" / "metadata").glob("listings_*.json.gz"))

    def _image_paths(self) -> dict[str, str]:
        with _reading(self._index_file) as file:
            rows = csv.DictReader(file)
            if not {"image_id", "path"} <= set(rows.fieldnames or ()):
                raise InputError(f"{self._index_file}: needs the columns image_id and path")
            return {row["image_id"]: row["path"] for row in rows}


def _abo_listings(
    product: Mapping[str, Any], paths: Mapping[str, str], skipped: Counter[str]
) -> Iterator[Listing]:
    others = product.get("other_image_id")
    ids = [product.get("main_image_id"), *(others if isinstance(others, list) else ())]
    image_ids = [one for one in dict.fromkeys(ids) if isinstance(one, str) and one]
    if not image_ids:
        skipped[WITHOUT_IMAGE] += 1
        return
    texts = {name: _abo_text(product.get(name)) for name in ABO_FIELDS}
    metadata = {name: text for name, text in texts.items() if text}
    for image_id in image_ids:
        if path := paths.get(image_id):
            listing_id = str(product.get("item_id") or image_id)
            yield Listing(listing_id, ImageRef(image_id, path), metadata)
        else:
            skipped[UNKNOWN_IMAGE] += 1


def _abo_text(values: object) -> str:
    """Return the English values, else those of the first language, without repeats."""
    entries = [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []
    by_language: dict[str, dict[str, None]] = {}
    for entry in entries:
        language = str(entry.get("language_tag") or "")
        group = "en" if language.startswith("en") else language
        text = " ".join(str(entry.get("value") or "").split())
        if text:
            by_language.setdefault(group, {})[text] = None
    chosen = by_language.get("en") or next(iter(by_language.values()), {})
    return "; ".join(chosen)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with _reading(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                raise InputError(f"{path}: line {number} is not JSON ({error})") from error
            if not isinstance(value, dict):
                raise InputError(f"{path}: line {number} is not a JSON object")
            yield value


@dataclass(frozen=True, slots=True)
class CsvCatalog:
    """A CSV file (also gzipped) with an image column; every other column is metadata."""

    path: Path
    images_dir: Path

    def check_columns(self) -> None:
        """Raise ``InputError`` where the file is unreadable or has no image column."""
        with _reading(self.path) as file:
            self._image_column(csv.DictReader(file))

    def fingerprint(self) -> str | None:
        """Return a digest of the file's name, size and time."""
        return _fingerprint([self.path])

    def listings(self, skipped: Counter[str]) -> Iterator[Listing]:
        """Yield one listing a row; repeated images are left to the ledger to recognise."""
        with _reading(self.path) as file:
            rows = csv.DictReader(file)
            image_column = self._image_column(rows)
            columns = rows.fieldnames or ()
            by_lower = {name.strip().lower(): name for name in columns}
            id_column = next((by_lower[c] for c in LISTING_COLUMNS if c in by_lower), None)
            fields = [name for name in columns if name not in {image_column, id_column}]
            base = _parts(self.images_dir.resolve().as_posix())
            for row in rows:
                raw = (row.get(image_column) or "").strip()
                if not raw:
                    skipped[WITHOUT_IMAGE] += 1
                elif (path := _below(base, raw)) is None:
                    skipped[OUTSIDE] += 1
                else:
                    listing_id = (row.get(id_column) or "").strip() if id_column else ""
                    # A short row lacks its last values.
                    texts = ((name, row[name]) for name in fields)
                    metadata = {name: " ".join(text.split()) for name, text in texts if text}
                    yield Listing(listing_id or path, ImageRef(path, path), metadata)

    def _image_column(self, rows: csv.DictReader[str]) -> str:
        columns = list(rows.fieldnames or ())
        by_lower = {name.strip().lower(): name for name in reversed(columns)}
        for alias in COLUMN_ALIASES["filename"]:
            if alias in by_lower:
                return by_lower[alias]
        wanted, have = ", ".join(COLUMN_ALIASES["filename"]), ", ".join(columns) or "none"
        raise InputError(f"{self.path}: no image column ({wanted}); its columns: {have}")


def _below(base: list[str], raw: str) -> str | None:
    """Return an image's path below the folder ``base``; ``None`` if it is elsewhere."""
    name = raw.replace("\\", "/")
    parts = _parts(name)
    if name.startswith("/"):
        if parts[: len(base)] != base:
            return None
        parts = parts[len(base) :]
    return None if ".." in parts else "/".join(parts) or "."


def _parts(path: str) -> list[str]:
    # By hand, because pathlib takes a third of the time of reading a large file.
    return [part for part in path.split("/") if part not in {"", "."}]


@dataclass(frozen=True, slots=True)
class FolderCatalog:
    """A folder of images, also in sub-folders, without metadata."""

    path: Path
    images_dir: Path

    def fingerprint(self) -> str | None:
        """Return ``None``: images may appear anywhere below."""
        return None

    def listings(self, skipped: Counter[str]) -> Iterator[Listing]:
        """Yield one listing an image, sorted within each folder."""
        base = self.images_dir.resolve()
        for path in _image_files(self.path.resolve()):
            if path.is_relative_to(base):
                name = path.relative_to(base).as_posix()
                yield Listing(path.stem, ImageRef(path.stem, name))
            else:
                skipped[OUTSIDE] += 1


def _image_files(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    for name, is_folder in names:
        if is_folder:
            yield from _image_files(folder / name)
        elif is_picture(Path(name)):
            yield folder / name


def _fingerprint(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        try:
            state = file.stat()
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from error
        digest.update(f"{file.name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[TextIO]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as packed:
                yield packed
        else:
            with path.open(encoding="utf-8-sig", newline="") as plain:
                yield plain
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
