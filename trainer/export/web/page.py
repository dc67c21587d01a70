"""Writes the page into a bundle: what to serve as plain files, and what to open."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from shared.errors import InputError

PAGE: Final = "index.html"
_FILES: Final = (PAGE, "page.css", "page.js", "resize.js", "vqa.js")
_LOOK: Final = ("look.css", "icon.svg")
_FILTERS: Final = (2, 3)
"""Pillow's numbers of the filters that resize.js has: bilinear and bicubic."""


def require_filter(image_rules: Mapping[str, Any]) -> None:
    """Check that the page can make pictures as small as the model wants them.

    Raises:
        InputError: by another filter than the page has.
    """
    if image_rules["resample"] not in _FILTERS:
        raise InputError(
            f"--to web: the model's pictures are resized by Pillow's filter "
            f"{image_rules['resample']}, and the page has bilinear (2) and bicubic (3) alone"
        )


def write_page(bundle: Path, libraries: Mapping[str, bytes]) -> None:
    """Put the page beside the graphs of a bundle."""
    for package, names in ((__package__, _FILES), ("shared.web", _LOOK)):
        for name in names:
            (bundle / name).write_bytes((files(package) / name).read_bytes())
    folder = bundle / "libraries"
    folder.mkdir()
    for name, content in libraries.items():
        (folder / name).write_bytes(content)
