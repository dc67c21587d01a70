"""Reads photos in threads, several a visit: a visit costs as much as reading a small photo."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from curator.images import Photo, prepare_photo
from shared.errors import CorruptImage

PHOTOS_A_VISIT: Final = 8
VISITS: Final = 6
"""At a time: a large photo, or a slow disk, keeps its thread busy for long."""

Asked = tuple[Path, asyncio.Future[Photo]]


class PhotoReader:
    """Prepares photos for whoever waits, in the order in which they asked."""

    def __init__(self) -> None:
        self._waiting: deque[Asked] = deque()
        self._visits = 0

    async def read(self, path: Path) -> Photo:
        """Return the photo at ``path``, made fit for a request.

        Raises:
            CorruptImage: missing, empty, not an image, cut off, or absurdly large.
        """
        loop = asyncio.get_running_loop()
        photo: asyncio.Future[Photo] = loop.create_future()
        self._waiting.append((path, photo))
        # Not at once: workers that were woken together share a visit.
        loop.call_soon(self._visit)
        return await photo

    def _visit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and self._visits < VISITS:
            count = min(PHOTOS_A_VISIT, len(self._waiting))
            asked = [self._waiting.popleft() for _ in range(count)]
            self._visits += 1
            visit = loop.run_in_executor(None, _read, [path for path, _ in asked])
            visit.add_done_callback(partial(self._hand_out, asked))

    def _hand_out(
        self, asked: Sequence[Asked], visit: asyncio.Future[list[Photo | CorruptImage]]
    ) -> None:
        self._visits -= 1
        bug = visit.exception()
        found = [bug] * len(asked) if bug else visit.result()
        for (_, photo), one in zip(asked, found, strict=True):
            if photo.done():
                continue
            if isinstance(one, BaseException):
                photo.set_exception(one)
            else:
                photo.set_result(one)
        self._visit()


def _read(paths: Sequence[Path]) -> list[Photo | CorruptImage]:
    return [_read_one(path) for path in paths]


def _read_one(path: Path) -> Photo | CorruptImage:
    try:
        return prepare_photo(path)
    except CorruptImage as error:
        return error
