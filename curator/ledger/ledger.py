"""The open ledger: one method, one transaction; what each asks stands in the rooms below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from curator.ledger.batches import BatchBook
from curator.ledger.open_file import OpenFile
from curator.ledger.queue import campaigns, canaries, catalogs, keys, looks, opinions, views
from curator.ledger.records.overview import (
    CampaignReport,
    CanaryDay,
    LeftOut,
    Memory,
    OpinionCounts,
    Progress,
)
from curator.ledger.records.requests import (
    Attempt,
    FormNews,
    KeyRemoval,
    ProjectNews,
    Result,
    SettingNews,
    Withdrawal,
)
from curator.ledger.records.review import SeenPair
from curator.ledger.records.work import Campaign, CanaryItem, ItemLook, PairItem, WorkItem
from curator.ledger.repair import ahead, mending
from curator.ledger.repair.log_replies import replies_after
from curator.ledger.reports import campaigns as reports
from curator.ledger.reports.canaries import canary_days
from curator.ledger.reports.counted import counted_replies, lost_requests
from curator.ledger.reports.course import history
from curator.ledger.reports.forecasting import memory
from curator.ledger.reports.keys import removed_keys
from curator.ledger.reports.models import asked_models
from curator.ledger.reports.pace import History
from curator.ledger.reports.projects import (
    left_out_settings,
    model_forms,
    project_records,
    project_use,
)
from curator.ledger.reviews.gathered import judged_pairs
from curator.ledger.writing.entries import opinion_replacements_by, replacements_by
from shared.endpoints.keys.key import Key
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse, RemovedKey
from shared.endpoints.request import Measure
from shared.endpoints.token_estimates import CountedReply
from shared.records import Listing

if TYPE_CHECKING:
    from curator.ledger.queries.pages import Pages


class Ledger:
    """A migrated ledger file, open for reading and writing."""

    def __init__(self, file: OpenFile, next_attempt_id: int, batches: BatchBook) -> None:
        self.batches = batches
        self._file = file
        self._next_attempt_id = next_attempt_id
        self._pages: Pages | None = None
        self._opening_pages = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, path: Path) -> AsyncIterator[Ledger]:
        """Open the ledger at ``path``, which ``migrate`` made or brought up to date."""
        async with OpenFile.opened(path) as file:
            next_attempt_id = await file.told(reports.last_attempt_id) + 1
            ledger = cls(file, next_attempt_id, await BatchBook.of(file))
            try:
                yield ledger
            finally:
                await ledger.close_pages()

    @property
    def pages(self) -> Pages:
        """What is read page by page."""
        if self._pages is None:
            # SQLAlchemy takes a fifth of a second to import, and a run does without.
            from curator.ledger.queries.pages import Pages  # noqa: PLC0415

            self._pages = Pages(self._file.path)
        return self._pages

    async def opened_pages(self) -> Pages:
        """Return ``pages``; opening them takes long, and the event loop goes on meanwhile."""
        async with self._opening_pages:
            return await asyncio.to_thread(lambda: self.pages)

    async def close_pages(self) -> None:
        """Let go of what reads page by page."""
        if self._pages is not None:
            await self._pages.close()

    def new_attempt_id(self) -> int:
        """Return a number that no attempt in this ledger has."""
        self._next_attempt_id += 1
        return self._next_attempt_id - 1

    async def take_in_from_log(self, campaign_id: int) -> frozenset[int]:
        """Add the replies that the log beside it has and it has not; return the items to judge.

        So it is where its newest changes got lost, or an older copy was put in its place.
        """
        found = await asyncio.to_thread(replies_after, self._file.path, self._next_attempt_id - 1)
        if not found:
            return frozenset()
        items = await self._file.changed(mending.take_in, campaign_id, found)
        self._next_attempt_id = await self._file.told(reports.last_attempt_id) + 1
        return items

    async def bring_back(self, now: float) -> int:
        """Date what a clock that ran ahead wrote to ``now``; return how many requests."""
        return await self._file.changed(ahead.bring_back, now)

    async def begin(self, attempt: Attempt) -> None:
        """Make an attempt durable; only then may its request be sent."""
        await self._file.add(attempt)

    def finish(
        self, result: Result, *news: ProjectNews | KeyRemoval | FormNews | SettingNews
    ) -> asyncio.Future[None]:
        """Write a result whole: attempt, reply, pairs, the item's new state, and what it told.

        The future that is returned is done once that is durable, before or together with whatever
        is begun after this call.
        """
        return self._file.add(result, *news)

    async def settled(self) -> None:
        """Return once everything so far is durable or has failed."""
        await self._file.drain()

    async def remember(self, news: ProjectNews | KeyRemoval | FormNews | SettingNews) -> None:
        """Write what was told about a project, a key or a model."""
        await self._file.add(news)

    def note(self, news: ProjectNews) -> asyncio.Future[None]:
        """Write what was told about a project; the future is done once that is durable."""
        return self._file.add(news)

    async def withdraw(self, attempt: Attempt) -> None:
        """Forget an attempt whose request was never sent."""
        await self._file.add(Withdrawal(attempt.attempt_id))

    async def replace_pairs(self, results: Sequence[Result]) -> None:
        """Put the verdicts of ``results`` in the place of what their items had; attempts stay."""
        await self._file.write(replacements_by(results))

    async def replace_opinions(self, results: Sequence[Result]) -> None:
        """Write what judging the replies again made of second opinions; attempts stay."""
        await self._file.write(opinion_replacements_by(results))

    async def add_catalog(
        self,
        source: str,
        fingerprint: str | None,
        images_dir: str,
        listings: Iterable[Listing],
        now: float,
        *,
        left_out: Callable[[], Sequence[LeftOut]] = tuple,
    ) -> int:
        """Add the listings whose image is not known yet, all or none; return how many.

        ``left_out`` is asked once they are read.
        """
        row = {
            "path": source,
            "fingerprint": fingerprint,
            "images_dir": images_dir,
            "imported_at": now,
        }
        return await self._file.changed(catalogs.add, row, listings, left_out)

    async def left_out(self, source: str) -> list[LeftOut]:
        """Return what of the catalogue at ``source`` could not be used when it was imported."""
        return await self._file.told(catalogs.left_out, source)

    async def known_fingerprint(self, source: str) -> str | None:
        """Return the fingerprint of the catalogue at ``source`` when it was last imported."""
        return await self._file.told(catalogs.fingerprint, source)

    async def image_path(self, item_id: int) -> str | None:
        """Return an item's image, relative to the images folder; ``None`` if there is no such."""
        return await self._file.told(catalogs.image_path, item_id)

    async def images_dirs(self) -> list[str]:
        """Return the images folders of the imported catalogues, latest first."""
        return await self._file.told(catalogs.images_dirs)

    async def enrol(self, campaign: Campaign, now: float, shuffle_seed: int | None = None) -> int:
        """Queue every item for ``campaign`` that it does not have yet; return its id.

        A campaign of this prompt goes on, whoever was asked so far; what is done stays so.
        A ``shuffle_seed`` that is not the campaign's own shuffles the whole queue again; without
        one, the campaign keeps the order that it has.
        """
        return await self._file.changed(campaigns.enrol, campaign, now, shuffle_seed)

    async def pending(self, campaign_id: int, after: int, limit: int) -> list[WorkItem]:
        """Return up to ``limit`` waiting items with ranks above ``after``, in order."""
        return await self._file.told(campaigns.waiting, campaign_id, after, limit)

    async def retry_dead(self, campaign_id: int) -> int:
        """Return the dead letters of a campaign to its queue, as new; return how many."""
        return await self._file.changed(campaigns.retry_dead, campaign_id)

    async def judged_pairs(self, campaign_id: int) -> list[SeenPair]:
        """Return the pairs of a campaign that people decided on, in the order of its images."""
        return await self._file.told(judged_pairs, campaign_id)

    async def unseen_looks(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Return up to ``limit`` items above ``after`` of whose looks nothing is known."""
        return await self._file.told(looks.unseen, after, limit)

    async def keep_looks(self, seen: Iterable[tuple[int, int | None, bytes | None]]) -> None:
        """Keep how images look; see ``curator.ledger.queue.looks.keep``."""
        await self._file.changed(looks.keep, seen)

    async def looks(self, campaign_id: int) -> list[ItemLook]:
        """Return the looks of a campaign's images, those that were asked about first."""
        return await self._file.told(looks.standing, campaign_id)

    async def set_aside(self, campaign_id: int, alike: Mapping[int, str]) -> int:
        """Ask no more about what looks like another image; what was set aside before waits."""
        return await self._file.changed(looks.set_aside, campaign_id, alike)

    async def send_back(self, campaign_id: int) -> None:
        """Let wait by itself what goes along with a picture that is not done."""
        await self._file.changed(views.send_back, campaign_id)

    async def send_along(self, campaign_id: int, most: int) -> None:
        """Let up to ``most`` pictures of a listing wait as one."""
        await self._file.changed(views.send_along, campaign_id, most)

    async def choose_pairs(self, campaign_id: int, share: float) -> OpinionCounts:
        """Queue that share of a campaign's pairs for a second opinion; return how they stand.

        The same pairs are chosen each time; see ``curator.ledger.queue.functions.pair_share``.
        """
        await self._file.changed(opinions.choose, campaign_id, share)
        return await self._file.told(reports.opinion_counts, campaign_id)

    async def waiting_pairs(
        self, campaign_id: int, after: tuple[int, str], limit: int
    ) -> list[PairItem]:
        """Return up to ``limit`` pairs that wait for a second opinion, in order."""
        return await self._file.told(opinions.waiting, campaign_id, after, limit)

    async def first_canaries(self, campaign_id: int, count: int) -> list[WorkItem]:
        """Return the images to ask about first, so that ``count`` canaries can be chosen."""
        return await self._file.told(canaries.first_waiting, campaign_id, count)

    async def choose_canaries(self, campaign_id: int, count: int) -> int:
        """Choose images and questions to ask again each day; return how many there are."""
        return await self._file.changed(canaries.choose, campaign_id, count)

    async def waiting_canaries(
        self, campaign_id: int, model: str, day: str, count: int
    ) -> list[CanaryItem]:
        """Return what a model is still to be asked again on a quota day."""
        return await self._file.told(canaries.waiting, campaign_id, model, day, count)

    async def canary_days(self, campaign_id: int) -> tuple[CanaryDay, ...]:
        """Return what came of a campaign's canaries, by model and day."""
        return await self._file.told(canary_days, campaign_id)

    async def remember_keys(self, run_keys: Iterable[Key], now: float) -> None:
        """Store the keys of a run by fingerprint: these are in service, and no others.

        What failed for good and is not among ``run_keys`` stays as it is.
        """
        await self._file.changed(keys.put_in_service, run_keys, now)

    async def removed_keys(self) -> dict[str, RemovedKey]:
        """Return the keys that failed for good, by fingerprint."""
        return await self._file.told(removed_keys)

    async def project_use(self, models: Sequence[str], now: float) -> dict[Meter, ProjectUse]:
        """Return what each project has used of its minute and day at ``now``, for ``models``.

        A request that was begun and never finished counts with its estimate.
        """
        return await self._file.told(project_use, models, now)

    async def project_records(self, models: Sequence[str]) -> dict[Meter, ProjectRecord]:
        """Return what is remembered of each project for ``models``."""
        return await self._file.told(project_records, models)

    async def counted_replies(self) -> list[CountedReply]:
        """Return what the service counted for the latest requests, oldest first."""
        return await self._file.told(counted_replies)

    async def lost_requests(self, campaign_id: int) -> list[tuple[Tier, Measure]]:
        """Return the requests that may have been billed and never told what they took."""
        return await self._file.told(lost_requests, campaign_id)

    async def asked_models(self) -> frozenset[str]:
        """Return the models that were ever asked."""
        return await self._file.told(asked_models)

    async def model_forms(self, annotator: str, now: float) -> dict[str, str]:
        """Return in which form models refused not to be asked, by name."""
        return await self._file.told(model_forms, annotator, now)

    async def left_out_settings(self, annotator: str, now: float) -> dict[str, list[str]]:
        """Return the settings that models are not asked for, because they refused, by name."""
        return await self._file.told(left_out_settings, annotator, now)

    async def campaigns(self) -> dict[int, Campaign]:
        """Return the campaigns by id, oldest first."""
        return await self._file.told(reports.campaigns)

    async def images(self) -> int:
        """Return how many images there are to be asked about."""
        return await self._file.told(reports.images)

    async def reports(self, now: float) -> list[CampaignReport]:
        """Return a report of each campaign, oldest first."""
        return await self._file.told(reports.campaign_reports, now)

    async def progress(self, campaign_id: int) -> Progress:
        """Return how far a campaign is."""
        return await self._file.told(reports.progress, campaign_id)

    async def bears_fruit(self, campaign_id: int, latest: int) -> bool:
        """Return whether any of the latest requests of a campaign was answered with pairs."""
        return await self._file.told(reports.bears_fruit, campaign_id, latest)

    async def memory(self, report: CampaignReport, now: float) -> Memory:
        """Return what a forecast of a campaign starts from."""
        return await self._file.told(memory, report, now)

    async def history(self, campaign_id: int, now: float) -> History:
        """Return the course of a campaign: since its first request, or over the last day."""
        return await self._file.told(history, campaign_id, now)
