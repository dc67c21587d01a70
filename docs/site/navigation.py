"""The navigation of the site: the tables of ``docs/index.md``, the one list of documents."""

from __future__ import annotations

import re
from typing import Any, Final

from docs.site.outside import ROOT, place_of

_SECTION: Final = re.compile(r"^## (.+)\n((?:(?!^## ).*\n)*)", re.MULTILINE)
_ROW: Final = re.compile(r"^\| (\[.*?) \|", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(([^)#]+)\)")


def navigation(reference: list[str]) -> list[dict[str, Any]]:
    """Return a section for each table of the index; ``reference`` stands before the last one."""
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    sections: list[dict[str, Any]] = [
        {title: _pages(text)} for title, text in _SECTION.findall(index) if _ROW.search(text)
    ]
    start = {"Start": ["index.md", place_of("README.md")]}
    return [start, *sections[:-1], {"Reference": reference}, sections[-1]]


def _pages(text: str) -> list[str]:
    links = [link for row in _ROW.findall(text) for link in _LINK.findall(row)]
    return [
        place_of(link.removeprefix("../") if link.startswith("../") else f"docs/{link}")
        for link in links
    ]
