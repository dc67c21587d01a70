"""Addresses of places on the hub: `hf://datasets/OWNER/NAME[@REVISION][/PATH]`; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from shared.errors import InputError

_ADDRESS: Final = re.compile(
    r"hf://datasets/(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?(?:/(?P<path>.*))?"
)
_CONVERTED: Final = {"~parquet": "refs/convert/parquet"}
"""The hub's own Parquet of any data set, as its file system calls it."""


@dataclass(frozen=True)
class Place:
    """A place in a data set of the hub; ``path`` is "" for all of it.

    ``silence`` says why the hub is not asked, once it is known that it cannot be.
    """

    address: str
    name: str
    revision: str | None
    path: str
    silence: str = ""


def place_of(address: str) -> Place:
    """Return the place that an address means.

    Raises:
        InputError: it is none.
    """
    found = _ADDRESS.fullmatch(address.rstrip("/"))
    if found is None:
        raise InputError(f"{address}: write hf://datasets/OWNER/NAME, with /FILE or /FOLDER")
    revision = found["revision"] and unquote(found["revision"])
    return Place(
        address, found["name"], _CONVERTED.get(revision or "", revision), found["path"] or ""
    )
