"""Small pictures of the catalogue's images, made when they are looked at."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import Final

from curator.ledger import Ledger
from shared.errors import CorruptImage, StoreUnreachable
from shared.images.decoding import read_image_file
from shared.images.thumbnails import thumbnail

LONGEST_PX: Final = 320
KEPT: Final = 200
"""Small pictures in memory, of some 20 kB each."""
AT_ONCE: Final = 2


class ItemPictures:
    """Makes and keeps small pictures of a ledger's images in ``images_dir``."""

    def __init__(self, ledger: Ledger, images_dir: Path) -> None:
        """Look for images in ``images_dir`` and nowhere else."""
        self._ledger = ledger
        self._images_dir = images_dir
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def jpeg(self, item_id: int) -> bytes | None:
        """Return the JPEG of an item's image; ``None`` if there is no such, or it is unreadable."""
        if item_id in self._kept:
            self._kept.move_to_end(item_id)
            return self._kept[item_id]
        name = await self._ledger.image_path(item_id)
        if name is None or not is_inside(name):
            return None
        async with self._turns:
            try:
                path = self._images_dir / name
                made = await asyncio.to_thread(_jpeg, path)
            except (CorruptImage, StoreUnreachable):
                return None
        self._kept[item_id] = made
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made


def _jpeg(path: Path) -> bytes:
    return thumbnail(read_image_file(path), str(path), LONGEST_PX).jpeg


def is_inside(name: str) -> bool:
    """Return whether a relative path stays in its folder; links that the user made may lead out."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and bool(name)
