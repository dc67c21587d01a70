"""Tells of files that they are there by a listing of their folder, many at a time."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from typing import Final

_OFTEN: Final = 200
"""Files of a folder that are asked about before it is listed; others may hold millions."""
_MOST_NAMES: Final = 500_000
"""Names that are kept, of all folders; each takes about 100 bytes."""


class ListedFolders:
    """The folders below ``root`` whose files are asked about often, as they were when listed."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._asked: Counter[str] = Counter()
        self._names: dict[str, set[str]] = {}
        self._room = _MOST_NAMES

    def holds(self, path: str) -> bool:
        """Return whether there is a file at ``path`` for certain; if not, only looking tells.

        That is so for links, for names that the system spells otherwise, and for new files.
        """
        folder, _, name = path.rpartition("/")
        names = self._names.get(folder)
        if names is None:
            self._asked[folder] += 1
            if self._asked[folder] < _OFTEN:
                return False
            names = self._names[folder] = self._listed(folder)
            self._room -= len(names)
        return name in names

    def _listed(self, folder: str) -> set[str]:
        try:
            with os.scandir(f"{self._root}/{folder}") as entries:
                listed = islice(entries, self._room)
                return {each.name for each in listed if each.is_file(follow_symlinks=False)}
        except OSError:
            # Such as one that may be entered and not listed.
            return set()
