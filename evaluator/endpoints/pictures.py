"""Pictures as requests carry them: JPEG of at most so many pixels, each made once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from shared.endpoints.image_encoding import Photo, photo_of
from shared.images.source import ImageFiles


class Pictures:
    """Gives photos of a run's images; the latest few are kept: questions of one come together."""

    def __init__(self, source: ImageFiles, longest_px: int, kept: int) -> None:
        self._source = source
        self._longest_px = longest_px
        self._kept = kept
        self._photos: OrderedDict[str, asyncio.Task[Photo]] = OrderedDict()

    async def photo(self, filename: str) -> Photo:
        """Return a picture.

        Raises:
            CorruptImage: it is missing or cannot be read.
            StoreUnreachable: nobody knows.
        """
        task = self._photos.get(filename)
        if task is None:
            task = asyncio.ensure_future(asyncio.to_thread(self._encoded, filename))
            self._photos[filename] = task
            if len(self._photos) > self._kept:
                self._photos.popitem(last=False)
        self._photos.move_to_end(filename)
        return await asyncio.shield(task)

    def _encoded(self, filename: str) -> Photo:
        return photo_of(self._source.content(filename), filename, self._longest_px)
