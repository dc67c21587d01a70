"""Files outside ``docs`` that documents link to: some become pages, others go along."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = {
    "README.md": "tour.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "findings/README.md": "findings.md",
}
"""Documents elsewhere in the repository, and the pages of the site that they become."""
_DOCS: Final = "docs/"
_OTHERS: Final = "repository/"
"""The site's folder for files that are no pages."""
_LINK: Final = re.compile(r"(\]\()(?![a-z+]+:|#|/)([^)#\s]+)((?:#[^)\s]*)?\))")


def source_of(page: str) -> str:
    """Return where in the repository a page of the site comes from."""
    for source, name in PAGES.items():
        if name == page:
            return source
    return _DOCS + page


def rewritten(markdown: str, page: str) -> str:
    """Return a page's Markdown, whose links lead to the site's own pages and files."""
    folder = posixpath.dirname(source_of(page))

    def to_site(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match[2]))
        place = posixpath.relpath(place_of(target), posixpath.dirname(page) or ".")
        return match[1] + place + match[3]

    return _LINK.sub(to_site, markdown)


def place_of(target: str) -> str:
    """Return where a file of the repository stands on the site."""
    if target in PAGES:
        return PAGES[target]
    if not target.startswith(_DOCS):
        return _OTHERS + target
    return target.removeprefix(_DOCS).replace(".ipynb", ".md")


def linked_files(markdown: str, page: str) -> Iterator[tuple[str, Path]]:
    """Yield linked files that become no pages: their place on the site, and their path."""
    folder = posixpath.dirname(source_of(page))
    for match in _LINK.finditer(markdown):
        target = posixpath.normpath(posixpath.join(folder, match[2]))
        place, path = place_of(target), ROOT / target
        if place.startswith(_OTHERS) and path.is_file():
            yield place, path
