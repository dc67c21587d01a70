"""The pictures that are fetched: kept whole or not at all, once the one decoder can read them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from curator.catalog.finding.fetched_names import fetched_name
from curator.catalog.finding.locating import Locator
from curator.catalog.pictures import READ_SUFFIXES, suffix_of
from curator.catalog.skipped import Reason
from curator.fetching.requests import NotFetched
from shared.errors import CorruptImage, InputError
from shared.files.atomic import atomic_path
from shared.images.decoding import opened_image
from shared.images.pixels import rgb

_SUFFIXES: Final = {"JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif", "MPO": ".jpg"}
_NO_PLACE: Final = frozenset(
    {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ}
)
"""What says that a name cannot be had, rather than that nothing can be written."""


class FetchedPictures:
    """The folder that pictures are fetched to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locator = Locator(folder, folder)

    def has(self, url: str) -> bool:
        """Return whether the picture of ``url`` is there, fetched by us or otherwise."""
        return not isinstance(self._locator.locate(url), Reason)

    def keep(self, url: str, content: bytes) -> None:
        """Write the picture of ``url`` where a run looks for it; may be called by several threads.

        Raises:
            NotFetched: it is no picture, or its name cannot be had here.
            InputError: nothing can be written to the folder.
        """
        try:
            with opened_image(content, "the answer") as image:
                kind = image.format or ""
                rgb(image)
        except CorruptImage as error:
            raise NotFetched(str(error)) from error
        name = fetched_name(url) or ""
        if suffix_of(name) not in READ_SUFFIXES:
            name += _SUFFIXES.get(kind, f".{kind.lower()}")
        try:
            with atomic_path(self._folder / name) as part:
                part.write_bytes(content)
        except InputError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in _NO_PLACE:
                raise NotFetched(f"no place for it ({cause.strerror})") from error
            raise
        except ValueError as error:
            raise NotFetched("no place for it (no name of a file)") from error
        except OSError as error:
            raise InputError(
                f"{self._folder}: cannot be written ({error.strerror}); make room, and run the "
                "same command again"
            ) from error
