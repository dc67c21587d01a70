"""What the names of folders say about the pictures in them: products and their categories; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import PurePosixPath
from typing import Final

from shared.value_class import value_class

CATEGORY: Final = "category"
"""The field of a listing that the folders above it fill."""
_GENERIC: Final = re.compile(
    r"(?:images?|imgs?|pictures?|pics?|photos?|media|uploads?|files?|data|datasets?|catalog(?:ue)?"
    r"|products?|items?|export|small|medium|large|original|full|raw|thumb(?:nail)?s?|new folder"
    r"|train(?:ing)?|val(?:id(?:ation)?)?|test|dev|all|batch|part|page|set|split|fold|shard|v|run)"
    r"[\s_-]*\(?\d*\)?",
    re.IGNORECASE,
)
"""Names that say nothing about what lies in a folder."""
_NUMBERS: Final = re.compile(r"[\d\s_.x-]+|[0-9a-f]{2}", re.IGNORECASE)
"""Dates, sizes, running numbers, and the pairs of letters that large stores spread files over."""
_SKU: Final = re.compile(r"(?=.*\d)(?=.{3})[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*")
_OF_A_YEAR: Final = re.compile(
    r"[A-Za-z]?[a-z]{2,}[-_.]?(?:19|20)\d\d|(?:19|20)\d\d[-_.]?[A-Za-z]?[a-z]{2,}|[Qq][1-4].*"
)
"""Seasons and quarters, which have as many digits as a SKU."""
_FEWEST_DIGITS: Final = 3
"""Of a SKU in lower case: others are words with a number, such as ``women_2``."""
_LONGEST_NUMBER: Final = 5
"""Digits of a number that is no more than a running one."""
_VIEW: Final = re.compile(
    r"(?:front|back|rear|side|left|right|top|bottom|main|hero|cover|detail|close ?up|zoom|inside"
    r"|view|angle|alt|pack|swatch|lifestyle|pt|image|img|photo|pic|dsc)?[\s_-]*\d{0,4}",
    re.IGNORECASE,
)
_MOST_VIEWS: Final = 100
"""Pictures of a folder that may all be of one product, as those of a turntable are."""


@value_class
class Place:
    """What a picture's folders say: its product, empty where they do not, and a listing's texts."""

    product: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def place_of(folders: Sequence[str], stems: Sequence[str]) -> Place:
    """Return what ``folders``, the outermost first, say of the pictures called ``stems`` in them.

    A folder that is called as a SKU, or whose pictures are views such as ``front`` and ``back``, is
    a product, which goes by its SKU or else by its path. The others are categories.
    """
    if not folders:
        return Place()
    name = folders[-1]
    if not _is_product(name, stems):
        return Place("", _texts(folders))
    product = name if _is_sku(name) else PurePosixPath(*folders).as_posix()
    return Place(product, _texts(folders[:-1]))


def _is_product(name: str, stems: Sequence[str]) -> bool:
    if not 0 < len(stems) <= _MOST_VIEWS or _is_generic(name):
        return False
    if _is_sku(name) or all(stem.lower().startswith(name.lower()) for stem in stems):
        return True
    # Numbers alone are in folders of any kind.
    return all(map(_VIEW.fullmatch, stems)) and not all(stem.isdecimal() for stem in stems)


def _is_sku(name: str) -> bool:
    if not _SKU.fullmatch(name) or _is_generic(name) or _OF_A_YEAR.fullmatch(name):
        return False
    return name.isupper() or sum(map(str.isdecimal, name)) >= _FEWEST_DIGITS


def _is_generic(name: str) -> bool:
    return bool(_GENERIC.fullmatch(name)) or (
        bool(_NUMBERS.fullmatch(name)) and not (name.isdecimal() and len(name) >= _LONGEST_NUMBER)
    )


def _texts(folders: Sequence[str]) -> dict[str, str]:
    telling = [name.replace("_", " ") for name in folders if not _is_generic(name)]
    return {CATEGORY: " > ".join(telling)} if telling else {}
