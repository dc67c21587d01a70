"""Pictures as requests carry them: JPEG of at most so many pixels, each made once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from evaluator.robustness.pictures import seen
from shared.endpoints.image_encoding import Photo, photo_from, photo_of
from shared.images.decoding import large_pictures_in_turn
from shared.images.source import ImageFiles


class Pictures:
    """Gives photos of a run's images; the latest few are kept: questions of one come together."""

    def __init__(self, source: ImageFiles, longest_px: int, kept: int) -> None:
        self._source = source
        self._longest_px = longest_px
        self._kept = kept
        self._photos: OrderedDict[tuple[str, str], asyncio.Task[Photo]] = OrderedDict()

    async def photo(self, filename: str, view: str = "") -> Photo:
        """Return a picture, shown as ``view`` says.

        Raises:
            CorruptImage: it is missing or cannot be read.
            StoreUnreachable: nobody knows.
        """
        shown = (filename, view)
        task = self._photos.get(shown)
        if task is None:
            task = asyncio.ensure_future(asyncio.to_thread(self._encoded, filename, view))
            self._photos[shown] = task
            if len(self._photos) > self._kept:
                self._photos.popitem(last=False)
        self._photos.move_to_end(shown)
        return await asyncio.shield(task)

    def _encoded(self, filename: str, view: str) -> Photo:
        if view:
            with large_pictures_in_turn():
                return photo_from(seen(self._source.read(filename), view), self._longest_px)
        return photo_of(self._source.content(filename), filename, self._longest_px)
