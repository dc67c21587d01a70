"""What a catalogue is: a source of listings, one for each image that a product has.

What cannot be used is counted by reason in ``Skipped``, never silently dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from curator.catalog.named_columns import NO_COLUMNS, NamedColumns
from curator.catalog.skipped import Skipped
from shared.errors import InputError
from shared.records import Listing
from shared.value_class import value_class

LOOKED_AT: Final = 10_000
"""Listings that are read to see what fields a catalogue has."""


@value_class
class AsGiven:
    """What a user says of a catalogue: its images folder, if not its own, and its columns."""

    images_dir: Path | None = None
    columns: NamedColumns = NO_COLUMNS


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

    def listings(self, skipped: Skipped) -> Iterator[Listing]:
        """Yield the listings whose image is there, in order, counting what is left out.

        Raises:
            InputError: a file of the catalogue is unreadable; the message names it.
        """
        ...


def fields_of(catalog: Catalog) -> list[str]:
    """Return what its first listings say something of, by the names that it has for them.

    Raises:
        InputError: a file of the catalogue is unreadable.
    """
    listings = islice(catalog.listings(Skipped()), LOOKED_AT)
    return list(
        dict.fromkeys(name for one in listings for name, text in one.metadata.items() if text)
    )


def nothing_usable(catalog: Catalog, skipped: Skipped) -> InputError:
    """Return the error that says why a catalogue brings no listing, and the way out."""
    if not skipped.counts:
        return InputError(f"{catalog.path}: holds no listing with an image: nothing is in it")
    return InputError(
        f"{catalog.path}: holds no listing with an image in {catalog.images_dir}: "
        f"{skipped}; {skipped.way_out}"
    )
