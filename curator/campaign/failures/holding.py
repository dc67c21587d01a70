"""Holds images that failed until it is known whose fault that is: theirs, or what all share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curator.campaign.failures.streak import (
    AGAIN,
    FIRST_PHOTOS,
    LONG_PHOTOS,
    LONG_TRIES,
    Failure,
    Held,
    Streak,
    no_photos,
    no_replies,
)
from curator.campaign.failures.suspects import Source, UsefulSources
from curator.campaign.results import Results
from curator.campaign.waiting.jobs import Job
from shared.endpoints.image_encoding import UnfitImage
from shared.errors import AboVqaError, CorruptImage, StoreUnreachable
from shared.images.source import require_images_folder


@dataclass(slots=True)
class Holding:
    """The streaks of a run: since a photo could be read, and since a reply could be used.

    Once ``is_closed``, what is held is left waiting, for another end has come.
    """

    images_dir: Path
    results: Results
    photos: Streak = field(default_factory=lambda: Streak(False, FIRST_PHOTOS, LONG_PHOTOS))
    replies: Streak = field(default_factory=lambda: Streak(False))
    useful: UsefulSources = field(default_factory=UsefulSources)
    is_closed: bool = False

    def photo_read(self) -> None:
        """A photo could be read: those held that could not are to blame themselves."""
        self._give_up(self.photos.success())

    def useful_reply(self, source: Source) -> Sequence[Job]:
        """A reply could be used that came from ``source``.

        What was held is given up, or returned where the source, and no image, may be to blame.
        """
        self.useful.success(source)
        held = self.replies.success()
        is_useful = self.useful.is_useful
        doubtful = [failed for failed in held if failed.source and not is_useful(failed.source)]
        self._give_up([failed for failed in held if failed not in doubtful])
        return [failed.job for failed in doubtful]

    async def unreadable(
        self, item: Job, error: UnfitImage | CorruptImage | StoreUnreachable
    ) -> None:
        """Hold an image that cannot be read; leave one out that is not worth asking about.

        Raises:
            StoreUnreachable: the machine does not give it, or the whole folder.
            InputError: none of many can be read.
        """
        if isinstance(error, UnfitImage):
            self.photo_read()
            self.results.leave_out(item, str(error))
            return
        try:
            if isinstance(error, StoreUnreachable):
                raise error
            await asyncio.to_thread(require_images_folder, self.images_dir)
        except StoreUnreachable as fault:
            told = f"{fault}; nothing was given up for it: {AGAIN}"
            raise StoreUnreachable(told) from fault
        path = self.images_dir / item.listing.image.path
        reason = str(error).removeprefix(f"{path}: ")
        self.photos.hold(Held(item, f"broken image: {reason}"))
        self.photos.failure(item, Failure(reason, str(path)))
        if self.photos.is_hopeless:
            raise no_photos(self.photos, self.images_dir)

    def failed(self, item: Job, failure: Failure, source: Source | None, *, is_last: bool) -> None:
        """Count a request of which nothing came; hold an item whose ``is_last`` it was.

        Raises:
            BringsNothing: no reply can be used.
            InputError: the service refuses every request.
        """
        if is_last:
            self.replies.hold(Held(item, failure.reason, source))
        self.replies.failure(item, failure)
        if self.replies.is_hopeless:
            raise no_replies(self.replies)

    def released(self) -> list[Job]:
        """Return what is held for failed requests, to be asked about again from the beginning."""
        return [failed.job.failed(0) for failed in self.replies.restart()]

    def end(self) -> AboVqaError | None:
        """Give up what is held now that nothing is left to try, or return what ends the run."""
        if self.photos.took_all:
            return no_photos(self.photos, self.images_dir)
        if self.replies.took_all:
            return no_replies(self.replies)
        for streak in (self.photos, self.replies):
            self._give_up(streak.give_up())
        return None

    def return_all(self) -> None:
        """Let all that failed wait as if it had never been tried."""
        for streak in (self.photos, self.replies):
            for item in streak.jobs.values():
                self.results.return_to_queue(item)

    def _give_up(self, held: Sequence[Held]) -> None:
        if not self.is_closed:
            for failed in held:
                self.results.give_up(failed.job, failed.reason)


async def held_by(results: Results, images_dir: Path) -> Holding:
    """Return what a run starts with: its campaign may have shown before that it bears fruit."""
    ledger, campaign_id = results.ledger, results.campaign_id
    any_done = (await ledger.progress(campaign_id)).done > 0
    return Holding(
        images_dir,
        results,
        photos=Streak(any_done, FIRST_PHOTOS, LONG_PHOTOS),
        replies=Streak(await ledger.bears_fruit(campaign_id, LONG_TRIES)),
    )
