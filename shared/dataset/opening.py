"""Opens data: the rows of a path or URL, and where its pictures are, also where they stand within.

Pictures within data are kept as files in the cache, once for each state of the data, so that all
that reads pictures from a folder reads them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.corpus import QA_FILE
from shared.corpus.unpacking import (
    IMAGES_FOLDER,
    JSON_ROWS_FILE,
    ROWS_FILE,
    files_of,
    has_pictures,
    unpack_pictures,
    write_named_pictures,
)
from shared.errors import InputError
from shared.files.cache import cache_folder
from shared.images.stores import folder_of, is_url, local_data, local_images
from shared.program.reporting.event_log import EventLog

_PICTURES: Final = "pictures"
_DIGEST_LENGTH: Final = 16
log = EventLog(__name__)


@dataclass(frozen=True)
class OpenedData:
    """Data on this machine: a data set folder or a file of rows, and where its pictures lie.

    ``images`` is a folder or a URL.
    """

    rows: Path
    images: str

    @property
    def folder(self) -> Path:
        """The folder of the pictures.

        Raises:
            InputError: they are behind a URL.
        """
        return folder_of(self.images)


def opened_data(data: str, images: str | None, *, option: str = "--images") -> OpenedData:
    """Open data at a path or URL; ``images`` is where its pictures lie, if not with it.

    Without ``images`` they are those within the data, or in a folder `images` beside its rows.
    ``option`` is what names another place.

    Raises:
        InputError: no such data, or it is not known where its pictures lie.
        StoreUnreachable: the store of a URL does not answer.
    """
    rows = local_data(data)
    if images is not None:
        return OpenedData(rows, local_images(images))
    found = data_with_pictures(rows)
    if found is None:
        raise InputError(f"{data}: holds no pictures; say with {option} where they lie")
    return found


def with_data_opened(
    tables: Mapping[str, Any], name: str, folder: Path, *, option: str
) -> dict[str, Any]:
    """Return a file's settings, its data opened where they are behind a URL or hold their pictures.

    ``name`` is the setting of the data, and `images` that of their pictures; paths are below
    ``folder``, and ``option`` is what names another place of pictures.

    Raises:
        InputError: as ``opened_data``.
        StoreUnreachable: the store of a URL does not answer.
    """
    data, images = tables.get(name), tables.get("images")
    if not isinstance(data, str) or not data or not isinstance(images, str | None):
        return dict(tables)
    if images is not None and not is_url(data) and not is_url(images):
        return dict(tables)
    rows, pictures = (
        place if place is None or is_url(place) else str(folder / place) for place in (data, images)
    )
    opened = opened_data(rows or "", pictures, option=option)
    return {**tables, name: str(opened.rows), "images": opened.images}


def data_with_pictures(data: Path) -> OpenedData | None:
    """Return data with the pictures that stand within it or lie beside it; ``None`` for none.

    Raises:
        InputError: there is no such data, or it cannot be read.
    """
    if (data / QA_FILE).is_file():
        return _of_folder(data)
    if data.is_dir() or has_pictures(_existing(data)):
        return _unpacked(data)
    beside = data.parent / IMAGES_FOLDER
    return OpenedData(data, str(beside)) if beside.is_dir() else None


def _existing(data: Path) -> Path:
    if not data.exists():
        raise InputError(f"{data}: no such file or data set folder")
    return data


def _of_folder(folder: Path) -> OpenedData | None:
    """Return a data set folder with the pictures of its split files, or those beside them."""
    beside = folder / IMAGES_FOLDER
    if beside.is_dir():
        return OpenedData(folder, str(beside))
    files = [file for file in sorted((folder / "data").glob("*.parquet")) if has_pictures(file)]
    if not files:
        return None
    place = _once(folder, files, lambda place: write_named_pictures(files, place))
    return OpenedData(folder, str(place))


def _unpacked(data: Path) -> OpenedData | None:
    """Return the table and the pictures that files with pictures within become."""
    files = files_of(data)
    if not any(map(has_pictures, files)):
        return None
    place = _once(data, files, lambda place: unpack_pictures(files, place))
    rows = next(place / name for name in (ROWS_FILE, JSON_ROWS_FILE) if (place / name).is_file())
    return OpenedData(rows, str(place / IMAGES_FOLDER))


def _once(data: Path, files: Sequence[Path], make: Callable[[Path], object]) -> Path:
    """Return the folder in the cache for ``files`` as they are now, made if it is not there."""
    digest = hashlib.sha256()
    for file in files:
        state = file.stat()
        digest.update(f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    place = cache_folder(_PICTURES) / f"{data.stem}-{digest.hexdigest()[:_DIGEST_LENGTH]}"
    if not place.is_dir():
        size_mib = sum(file.stat().st_size for file in files) / 2**20
        log.info(
            "pictures_kept_as_files",
            data=data.name,
            mib=round(size_mib, 1),
            folder=str(place),
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            make(place)
        except InputError:
            # Another process may have been faster.
            if not place.is_dir():
                raise
    return place
