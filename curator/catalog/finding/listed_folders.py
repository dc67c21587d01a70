"""Tells of files that they are there by a listing of their folder, many at a time."""

from __future__ import annotations

import os
import re
from collections import Counter
from itertools import islice
from typing import Final

_OFTEN: Final = 200
"""Files of a folder that are asked about before it is listed; others may hold millions."""
_MOST_NAMES: Final = 500_000
"""Names that are kept, of all folders; each takes about 100 bytes."""
_AT_ONCE: Final = 1_000
_NAME: Final = r"[A-Za-z0-9][\w-]*\.(?:jpe?g|png|webp)"
PLAIN: Final = re.compile(rf"(?:[A-Za-z0-9][\w-]*/)*{_NAME}\Z", re.ASCII)
"""A path of a picture, and nothing else that a cell may hold."""
_PLAIN_NAMES: Final = re.compile(rf"(?<=/){_NAME}(?=/)", re.ASCII)


class ListedFolders:
    """The folders below ``root`` whose files are asked about often, as they were when listed."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._asked: Counter[str] = Counter()
        self._names: dict[str, set[str]] = {}
        self._room = _MOST_NAMES

    def holds(self, path: str) -> bool:
        """Return whether ``path`` is ``PLAIN``, and a file is there, for certain.

        If not, only looking tells: for links, for names that the system spells otherwise, and for
        new files.
        """
        end = path.rfind("/") + 1
        folder = path[:end]
        names = self._names.get(folder)
        if names is None:
            if not PLAIN.match(path):
                return False
            self._asked[folder] += 1
            if self._asked[folder] < _OFTEN:
                return False
            names = self._names[folder] = self._listed(folder)
            self._room -= len(names)
        return path[end:] in names

    def _listed(self, folder: str) -> set[str]:
        try:
            with os.scandir(f"{self._root}/{folder}") as entries:
                listed = islice(entries, self._room)
                names = (each.name for each in listed if each.is_file(follow_symlinks=False))
                plain: set[str] = set()
                while some := list(islice(names, _AT_ONCE)):
                    # No name holds a slash.
                    plain.update(_PLAIN_NAMES.findall(f"/{'/'.join(some)}/"))
                return plain
        except OSError:
            # Such as one that may be entered and not listed.
            return set()
