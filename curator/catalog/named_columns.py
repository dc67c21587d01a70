"""What ``--columns image=Bild,id=Art-Nr,title=Name`` says of a table's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from shared.errors import InputError
from shared.records.columns import split_columns
from shared.value_class import value_class

IMAGE, LISTING, PRODUCT = "image", "id", "product"


@value_class
class NamedColumns:
    """Columns as a user names them; what is not named is found by name and content.

    ``images`` are those that name pictures, and no others then do. ``listing`` is that of a row's
    product and ``product`` that of what several are variants of; empty for none, ``None`` where
    nothing was said. ``texts`` are columns by the name that a text gets, empty for one that is left
    out.
    """

    images: tuple[str, ...] = ()
    listing: str | None = None
    product: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return whether anything was said."""
        return self != NO_COLUMNS

    def __str__(self) -> str:
        """Return the same as one text; empty where nothing was said."""
        images = [(IMAGE, image) for image in self.images]
        ids = [(LISTING, self.listing), (PRODUCT, self.product)]
        said = [*images, *ids, *self.texts.items()]
        return ",".join(f"{name}={column}" for name, column in said if column is not None)


NO_COLUMNS: Final = NamedColumns()


def catalog_columns(text: str | None) -> NamedColumns:
    """Return what the value of ``--columns`` says; several ``image=`` may stand in it.

    Raises:
        InputError: no pair of names, or a field has two columns.
    """
    images: list[str] = []
    ids: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name, column in split_columns(text):
        if name.lower() == IMAGE:
            if not column:
                raise InputError("--columns image=: name the column of the pictures")
            images.append(column)
            continue
        place, key = (ids, name.lower()) if name.lower() in {LISTING, PRODUCT} else (texts, name)
        if key in place:
            raise InputError(f"--columns names {name!r} twice; a field has one column")
        place[key] = column
    return NamedColumns(tuple(images), ids.get(LISTING), ids.get(PRODUCT), texts)
