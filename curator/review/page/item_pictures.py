"""Pictures of the catalogue's images, made small when they are looked at."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from aiohttp import web

from shared.errors import CorruptImage, StoreUnreachable
from shared.images.decoding import read_image_file
from shared.images.thumbnails import thumbnail
from shared.program.durations import DAY_S

THUMBNAIL_PX: Final = 320
KEPT: Final = 200
"""Small pictures in memory, of some 20 kB each."""
AT_ONCE: Final = 2


class ItemPictures:
    """Makes and keeps small pictures of a ledger's images."""

    def __init__(
        self,
        path_of: Callable[[int], Awaitable[str | None]],
        folders: Sequence[Path],
        longest_px: int = THUMBNAIL_PX,
        kept: int = KEPT,
    ) -> None:
        """Look for images in ``folders`` and nowhere else.

        ``path_of`` returns an item's image, relative to one of them; ``None`` if there is no such.
        """
        self._path_of = path_of
        self._folders = folders
        self._longest_px = longest_px
        self._most = kept
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)

    def route(self, path: str) -> web.RouteDef:
        """Return the route of the pictures below ``path``, by the items' numbers."""

        async def picture(request: web.Request) -> web.Response:
            jpeg = await self.jpeg(int(request.match_info["item"]))
            if jpeg is None:
                raise web.HTTPNotFound(text="no such image\n")
            headers = {"Cache-Control": f"private, max-age={DAY_S:.0f}"}
            return web.Response(body=jpeg, content_type="image/jpeg", headers=headers)

        return web.get(path + r"/{item:\d{1,18}}", picture)

    async def jpeg(self, item_id: int) -> bytes | None:
        """Return the JPEG of an item's image; ``None`` if there is no such, or it is unreadable."""
        if item_id in self._kept:
            self._kept.move_to_end(item_id)
            return self._kept[item_id]
        name = await self._path_of(item_id)
        if name is None or not is_inside(name):
            return None
        async with self._turns:
            made = await asyncio.to_thread(self._made, name)
        if made is None:
            return None
        self._kept[item_id] = made
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return made

    def _made(self, name: str) -> bytes | None:
        for folder in self._folders:
            path = folder / name
            try:
                return small_jpeg(path, self._longest_px)
            except (CorruptImage, StoreUnreachable):
                continue
        return None


def small_jpeg(path: Path, longest_px: int = THUMBNAIL_PX) -> bytes:
    """Return the picture at ``path`` as a JPEG.

    Raises:
        CorruptImage: missing, or not an image.
        StoreUnreachable: its disk does not give it.
    """
    return thumbnail(read_image_file(path), str(path), longest_px).jpeg


def is_inside(name: str) -> bool:
    """Return whether a relative path stays in its folder; links that the user made may lead out."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and bool(name)
