"""An ABO download, as it is or unpacked further, as a catalogue."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from curator.catalog.abo_files import AboFiles, abo_files, pictures_in
from curator.catalog.catalog import AsGiven
from curator.catalog.finding.locating import Locator
from curator.catalog.reading import fingerprint_of, reading
from curator.catalog.skipped import Reason, Skipped
from shared.errors import InputError
from shared.records import ImageRef, Listing
from shared.value_class import value_class

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


def abo_catalog(path: Path, given: AsGiven) -> AboCatalog | None:
    """Return the download at ``path``; ``None`` where there is none.

    ``path`` may be the folder of the download, one within it, or one of its files of listings.

    Raises:
        InputError: it lacks a part; the message says where that is.
    """
    files = abo_files(path)
    if not files:
        return None
    if files.listings is None:
        raise InputError(f"{path}: {_way_out(files, 'listings')}")
    if files.index is None:
        raise InputError(
            f"{path}: lacks images/metadata/images.csv.gz, which maps image ids to files; "
            f"{_way_out(files, 'images')}"
        )
    pictures = pictures_in(given.images_dir) if given.images_dir else files.pictures
    if pictures is None:
        raise InputError(
            f"{path}: lacks the pictures, a folder images/small or images/original; "
            f"{_way_out(files, 'images')}, or give --images DIR"
        )
    catalog = AboCatalog(path, pictures, files.listings, files.index, files.only)
    catalog.check_files()
    return catalog


def _way_out(files: AboFiles, part: str) -> str:
    archive = files.archive(part)
    if archive is None:
        return f"it is in ABO's archive abo-{part if part == 'listings' else 'images-small'}.tar"
    return f"{archive.name} is not unpacked; in its folder: tar -xf {archive.name}"


@value_class
class AboCatalog:
    """An ABO download: JSON lines of products, and an index of images, each packed or not."""

    path: Path
    images_dir: Path
    listings_dir: Path
    index_dir: Path
    only: Path | None = None

    def check_files(self) -> None:
        """Raise ``InputError`` where the download lacks a file."""
        if not self._index_file.is_file():
            raise InputError(f"{self._index_file}: missing; it maps image ids to files")
        if not self._listing_files():
            raise InputError(f"{self.listings_dir}: no listings_*.json.gz in it")

    def fingerprint(self) -> str | None:
        """Return a digest of the files' names, sizes and times."""
        return fingerprint_of([self._index_file, *self._listing_files()])

    def listings(self, skipped: Skipped) -> Iterator[Listing]:
        """Yield one listing for each main and other image."""
        paths = self._image_paths()
        locator = Locator(self.images_dir, self.images_dir)
        for file in self._listing_files():
            for product in _json_lines(file):
                yield from _abo_listings(product, paths, locator, skipped)

    @property
    def _index_file(self) -> Path:
        packed, unpacked = (self.index_dir / name for name in ("images.csv.gz", "images.csv"))
        return unpacked if unpacked.is_file() and not packed.is_file() else packed

    def _listing_files(self) -> list[Path]:
        """Return each file once: packed where it is there both ways, for that one is whole."""
        if self.only is not None:
            return [self.only]
        unpacked = {file.name: file for file in self.listings_dir.glob("listings_*.json")}
        packed = {
            file.name.removesuffix(".gz"): file
            for file in self.listings_dir.glob("listings_*.json.gz")
        }
        return [file for _, file in sorted((unpacked | packed).items())]

    def _image_paths(self) -> dict[str, str]:
        with reading(self._index_file) as file:
            rows = csv.DictReader(file)
            if not {"image_id", "path"} <= set(rows.fieldnames or ()):
                raise InputError(f"{self._index_file}: needs the columns image_id and path")
            return {row["image_id"]: row["path"] for row in rows if row["path"]}


def _abo_listings(
    product: Mapping[str, Any], paths: Mapping[str, str], locator: Locator, skipped: Skipped
) -> Iterator[Listing]:
    others = product.get("other_image_id")
    ids = [product.get("main_image_id"), *(others if isinstance(others, list) else ())]
    image_ids = [value for value in dict.fromkeys(map(_text, ids)) if value]
    product_id = _text(product.get("item_id"))
    if not image_ids:
        skipped.add(Reason.WITHOUT_IMAGE, product_id or "a product without an id")
        return
    texts = {name: _abo_text(product[name]) for name in ABO_FIELDS if product.get(name)}
    metadata = {name: text for name, text in texts.items() if text}
    for image_id in image_ids:
        path = paths.get(image_id)
        place = Reason.UNKNOWN_IMAGE if path is None else locator.locate(path)
        if isinstance(place, Reason):
            skipped.add(place, path or image_id)
        else:
            yield Listing(product_id or image_id, ImageRef(image_id, place), metadata)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _abo_text(values: object) -> str:
    """Return the English values, else those of the first language, without repeats."""
    entries = (
        [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []
    )
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
    with reading(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = orjson.loads(line)
            except ValueError as error:
                raise InputError(f"{path}: line {number} is not JSON ({error})") from error
            if not isinstance(value, dict):
                raise InputError(f"{path}: line {number} is not a JSON object")
            yield value
