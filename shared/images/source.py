"""Where images lie: a folder on this machine, or a store behind a URL.

A missing image is told apart from a store that does not answer: the first is a broken image and
counts as such, the second would make a score out of a bad network.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import ClassVar, Final, Protocol

from PIL import Image

from shared.errors import CorruptImage, InputError, StoreUnreachable
from shared.images.decoding import decode_image, open_image, read_image_file
from shared.images.names import is_file_below
from shared.images.stores import Store, is_url, open_store

LOOKED_FOR: Final = 20
"""Images of which one must be there, or the place is taken for a wrong one."""


class ImageSource(Protocol):
    """Gives images by name; may be asked by several threads."""

    reads_at_once: ClassVar[int]
    """How many threads read faster than fewer do."""

    def read(self, name: str) -> Image.Image:
        """Return an image, decoded, as RGB, upright and on white.

        Raises:
            CorruptImage: it is missing or cannot be decoded.
            StoreUnreachable: nobody knows.
        """
        ...

    def has(self, name: str) -> bool:
        """Return whether an image is there, readable or not."""
        ...


class ImageFiles(ImageSource, Protocol):
    """Images that are files somewhere."""

    def content(self, name: str) -> bytes:
        """Return an image file as it is.

        Raises:
            CorruptImage: it is missing.
            StoreUnreachable: nobody knows.
        """
        ...


class ImageFolder:
    """Images below a folder of this machine, whose cores decode them."""

    reads_at_once: ClassVar[int] = min(8, os.cpu_count() or 1)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def content(self, name: str) -> bytes:
        """Return an image file as it is."""
        with self._checked():
            return read_image_file(self._folder / name)

    def read(self, name: str) -> Image.Image:
        """Return an image, decoded, as RGB, upright and on white."""
        with self._checked():
            return open_image(self._folder / name)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except CorruptImage:
            # Where nothing is mounted, no image is broken.
            require_images_folder(self._folder)
            raise

    def has(self, name: str) -> bool:
        """Return whether the file exists."""
        try:
            return is_file_below(self._folder, name)
        except OSError as error:
            path = self._folder / name
            raise StoreUnreachable(f"{path}: cannot be looked at ({error.strerror})") from error


class ImageStore:
    """Images below a URL (``s3://..``, ``gs://..``, ``https://..``); a read is mostly waiting."""

    reads_at_once: ClassVar[int] = 16

    def __init__(self, store: Store) -> None:
        self._store = store

    def content(self, name: str) -> bytes:
        """Return an image file as it is."""
        try:
            return self._store.read(name)
        except FileNotFoundError as error:
            raise CorruptImage(f"{self._store.place(name)}: not there") from error

    def read(self, name: str) -> Image.Image:
        """Return an image, decoded, as RGB, upright and on white."""
        return decode_image(self.content(name), self._store.place(name))

    def has(self, name: str) -> bool:
        """Return whether the store has the image."""
        return self._store.has(name)


def image_source(location: str) -> ImageFiles:
    """Return the images at a path or URL.

    Raises:
        InputError: no such folder, or no package for such a URL.
    """
    if is_url(location):
        return ImageStore(open_store(location))
    folder = Path(location)
    if not folder.is_dir():
        raise InputError(f"--images {location}: no such folder")
    return ImageFolder(folder)


def require_images_folder(folder: Path) -> None:
    """Check that an images folder is there and holds something.

    Raises:
        StoreUnreachable: it is gone, empty, or may not be read, as where nothing is mounted.
    """
    try:
        with os.scandir(folder) as entries:
            is_empty = next(entries, None) is None
    except OSError as error:
        raise StoreUnreachable(f"{folder}: the folder cannot be read ({error.strerror})") from error
    if is_empty:
        raise StoreUnreachable(f"{folder}: the folder is empty (is what belongs there mounted?)")


def require_images(location: str, names: Iterable[str]) -> None:
    """Check that at least one of the first images is where all are said to be.

    Raises:
        InputError: none is there.
        StoreUnreachable: the store does not answer.
    """
    source = image_source(location)
    first = list(islice(dict.fromkeys(names), LOOKED_FOR))
    if first and not any(source.has(name) for name in first):
        raise InputError(
            f"--images {location}: holds none of the data's first {len(first)} images "
            f"({first[0]}, ...); give the place that the file names start from"
        )
