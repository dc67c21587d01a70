"""Hands out what waits with its photos, read ahead in threads and several a visit.

Reading a small photo takes no longer than going to a thread and back, and a worker should not have
to wait for either.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from curator.campaign.waiting.jobs import Job, ListingJob
from curator.campaign.waiting.queue import Queue
from shared.endpoints.image_encoding import Photo, UnfitImage, prepare_photo
from shared.errors import CorruptImage, StoreUnreachable
from shared.images.fitness import ANY_PICTURE, Fitness

VISITS: Final = 4
"""At a time, in threads of their own: a large photo, or a slow disk, keeps one busy for long."""

PhotoOrFault = Photo | UnfitImage | CorruptImage | StoreUnreachable


class PhotoQueue:
    """A queue whose jobs come with their photos, in the queue's order, within a ``with`` block."""

    def __init__(
        self, queue: Queue, images_dir: Path, ahead: int, wanted: Fitness = ANY_PICTURE
    ) -> None:
        """Read the photos of up to ``ahead`` jobs before they are asked for.

        Those without questions must have what is ``wanted`` of their looks.
        """
        self._fitness = wanted
        self._queue = queue
        self._images_dir = str(images_dir)
        self._most = max(1, ahead)
        self._ahead: deque[tuple[Job, asyncio.Future[list[PhotoOrFault]], int]] = deque()
        self._turn = asyncio.Lock()
        self._threads = ThreadPoolExecutor(VISITS, thread_name_prefix="photos")
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        """Return the queue."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave unread what was to be read ahead; do not wait for it."""
        self._is_over.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def take(self) -> tuple[Job, PhotoOrFault] | None:
        """Return the next job, with its photo or what is wrong with that; ``None`` at the end."""
        # Who queues at the lock makes all who come after queue too, until none comes for a while.
        if self._turn.locked() or self._is_to_look_ahead:
            async with self._turn:
                if self._is_to_look_ahead:
                    await self._look_ahead()
        if not self._ahead:
            return None
        job, visit, place = self._ahead.popleft()
        # Shielded, for others wait for the same visit.
        photos = visit.result() if visit.done() else await asyncio.shield(visit)
        photo = photos[place]
        if isinstance(photo, UnfitImage):
            self._queue.count_less()
        return job, photo

    @property
    def _is_to_look_ahead(self) -> bool:
        return len(self._ahead) <= self._most // 2

    def put_back(self, job: Job) -> None:
        """Hand ``job`` out once more, after others where there are some."""
        self._queue.put_back(job)

    async def _look_ahead(self) -> None:
        jobs: list[Job] = []
        while len(self._ahead) + len(jobs) < self._most:
            job = await self._queue.take()
            if job is None:
                break
            jobs.append(job)
        size = math.ceil(len(jobs) / VISITS)
        loop = asyncio.get_running_loop()
        for start in range(0, len(jobs), max(1, size)):
            some = jobs[start : start + size]
            photos = [(self._paths(job), self._wanted(job)) for job in some]
            visit = loop.run_in_executor(self._threads, self._read, photos)
            self._ahead.extend((job, visit, place) for place, job in enumerate(some))

    def _paths(self, job: Job) -> list[str]:
        views = job.views if isinstance(job, ListingJob) else ()
        names = [job.listing.image.path, *(view.path for view in views)]
        # As text: for a small photo, two paths take as long as its header.
        return [os.path.join(self._images_dir, name) for name in names]  # noqa: PTH118

    def _wanted(self, job: Job) -> Fitness:
        # What was asked about before is asked about again whatever it looks like.
        return self._fitness if job.question is None else ANY_PICTURE

    def _read(self, photos: Sequence[tuple[Sequence[str], Fitness]]) -> list[PhotoOrFault]:
        return [_read_all(*photo) for photo in photos if not self._is_over.is_set()]


def _read_all(paths: Sequence[str], wanted: Fitness) -> PhotoOrFault:
    """Return the first photo with the further ones; where one is out of reach, that is a fault."""
    photo = _read_one(paths[0], wanted)
    if len(paths) == 1 or not isinstance(photo, Photo):
        return photo
    further: list[Photo | None] = []
    for path in paths[1:]:
        read = _read_one(path, wanted)
        if isinstance(read, StoreUnreachable):
            return read
        further.append(read if isinstance(read, Photo) else None)
    return replace(photo, further=tuple(further))


def _read_one(path: str, wanted: Fitness) -> PhotoOrFault:
    try:
        return prepare_photo(path, wanted)
    except (UnfitImage, CorruptImage, StoreUnreachable) as error:
        return error
    except MemoryError:
        return StoreUnreachable(f"{path}: out of memory; free some or lower --concurrency")
