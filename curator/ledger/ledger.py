"""The open ledger: one method, one transaction.

The catalogue, the queue of a campaign, attempts and results, projects and keys. What is asked of
the whole, as ``curator status`` does, is in ``curator.ledger.reports.campaigns``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import event, func, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from curator.keys.key import Key
from curator.ledger.database import tables
from curator.ledger.database.connecting import set_up_connection, translated
from curator.ledger.database.reading import reading
from curator.ledger.queries.newest import newest_items
from curator.ledger.queue import opinions, order
from curator.ledger.records.work import (
    Attempt,
    Campaign,
    CampaignReport,
    KeyRemoval,
    LeftOut,
    Memory,
    NewestItem,
    OpinionCounts,
    Outcome,
    PairItem,
    Progress,
    ProjectNews,
    RepliedItem,
    RepliedPair,
    Result,
    Withdrawal,
    WorkItem,
    WorkState,
)
from curator.ledger.reports import campaigns as reports
from curator.ledger.reports.pace import History
from curator.ledger.reports.products import other_listings, products
from curator.ledger.writing.group import GroupCommit
from curator.ledger.writing.group_writer import GroupWriter
from curator.ledger.writing.inbox import PUT, Row
from curator.ledger.writing.rows import (
    Entry,
    changes_by,
    left_out_of,
    left_out_text,
    listing_of,
    listing_row,
    opinion_replacements_by,
    replacements_by,
    replied_items,
    unpack_reply,
)
from curator.pool.records import ProjectRecord, ProjectUse, RemovedKey
from shared.records import Listing, Provenance, QAPair, pair_id

Asked = ParamSpec("Asked")
Told = TypeVar("Told")

IMPORT_BATCH: Final = 2_000
_OPINIONS: Final = {None: "", 0: "disagrees", 1: "agrees"}


class Ledger:
    """A migrated ledger file, open for reading and writing."""

    def __init__(
        self, path: Path, engine: AsyncEngine, groups: GroupWriter, next_attempt_id: int
    ) -> None:
        self._path = path
        self._engine = engine
        self._groups = groups
        self._next_attempt_id = next_attempt_id
        self._group: GroupCommit[Entry] = GroupCommit(self._write_group)
        self._writer = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, path: Path) -> AsyncIterator[Ledger]:
        """Open the ledger at ``path``, which ``migrate`` made or brought up to date."""
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        event.listen(engine.sync_engine, "connect", set_up_connection)
        groups = GroupWriter(path)
        try:
            async with _reading(engine) as connection:
                last = await connection.scalar(select(func.max(tables.attempts.c.id)))
            ledger = cls(path, engine, groups, (last or 0) + 1)
            try:
                yield ledger
            finally:
                await ledger.settled()
        finally:
            groups.close()
            await engine.dispose()

    def new_attempt_id(self) -> int:
        """Return a number that no attempt in this ledger has."""
        self._next_attempt_id += 1
        return self._next_attempt_id - 1

    async def begin(self, attempt: Attempt) -> None:
        """Make an attempt durable; only then may its request be sent."""
        await self._group.add(attempt)

    def finish(self, result: Result, *news: ProjectNews | KeyRemoval) -> asyncio.Future[None]:
        """Write a result whole: attempt, reply, pairs, the item's new state, and what it told.

        The future that is returned is done once that is durable, before or together with whatever
        is begun after this call.
        """
        return self._group.add(result, *news)

    async def settled(self) -> None:
        """Return once everything so far is durable or has failed."""
        await self._group.drain()

    async def remember(self, news: ProjectNews | KeyRemoval) -> None:
        """Write what was told about a project or a key."""
        await self._group.add(news)

    async def withdraw(self, attempt: Attempt) -> None:
        """Forget an attempt whose request was never sent."""
        await self._group.add(Withdrawal(attempt.attempt_id))

    async def _write_group(self, entries: Sequence[Entry]) -> None:
        async with self._writer:
            await self._groups.write(changes_by(entries))

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        # SQLite has one writer; queueing here, a long import cannot time the others out.
        async with self._writer:
            with translated():
                async with self._engine.begin() as connection:
                    yield connection

    async def _told(
        self,
        report: Callable[Concatenate[sqlite3.Connection, Asked], Told],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        def tell() -> Told:
            with reading(self._path) as connection:
                return report(connection, *args, **kwargs)

        return await asyncio.to_thread(tell)

    async def left_out(self, source: str) -> list[LeftOut]:
        """Return what of the catalogue at ``source`` could not be used when it was imported."""
        async with _reading(self._engine) as connection:
            statement = select(tables.sources.c.left_out).where(tables.sources.c.path == source)
            return left_out_of(await connection.scalar(statement))

    async def known_fingerprint(self, source: str) -> str | None:
        """Return the fingerprint of the catalogue at ``source`` when it was last imported."""
        async with _reading(self._engine) as connection:
            statement = select(tables.sources.c.fingerprint).where(tables.sources.c.path == source)
            found: str | None = await connection.scalar(statement)
            return found

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
        insert_new = sqlite_insert(tables.items).on_conflict_do_nothing()
        insert_others = other_listings()
        remember = sqlite_insert(tables.sources)
        remember = remember.on_conflict_do_update(["path"], set_=dict(remember.excluded))
        remaining = iter(listings)
        async with self._writing() as connection:
            before = await connection.scalar(select(func.count()).select_from(tables.items))
            while batch := await asyncio.to_thread(_next_rows, remaining):
                await connection.execute(insert_new, batch)
                await connection.execute(insert_others, batch)
            source_row = {
                "path": source,
                "fingerprint": fingerprint,
                "images_dir": images_dir,
                "imported_at": now,
                "left_out": left_out_text(left_out()),
            }
            await connection.execute(remember, source_row)
            after = await connection.scalar(select(func.count()).select_from(tables.items))
        return (after or 0) - (before or 0)

    async def item_count(self) -> int:
        """Return the number of images known."""
        async with _reading(self._engine) as connection:
            count = await connection.scalar(select(func.count()).select_from(tables.items))
            return count or 0

    async def products(self) -> dict[str, str]:
        """Return the product of each listing of which it says more than the image does."""
        return await self._told(products)

    async def images_dirs(self) -> list[str]:
        """Return the images folders of the imported catalogues, latest first."""
        async with _reading(self._engine) as connection:
            order = tables.sources.c.imported_at.desc()
            rows = await connection.scalars(select(tables.sources.c.images_dir).order_by(order))
            return list(dict.fromkeys(rows))

    async def enrol(self, campaign: Campaign, now: float, shuffle_seed: int | None = None) -> int:
        """Queue every item for ``campaign`` that it does not have yet; return its id.

        A campaign of this prompt goes on, whoever was asked so far; what is done stays so.
        A ``shuffle_seed`` that is not the campaign's own shuffles the whole queue anew; without
        one, the campaign keeps the order that it has.
        """
        which = {"prompt_version": campaign.prompt_version, "questions": campaign.questions}
        asked = {"model": campaign.model, "annotator": campaign.annotator}
        same = [tables.campaigns.c[name] == value for name, value in which.items()]
        async with self._writing() as connection:
            make = sqlite_insert(tables.campaigns).values(**which, **asked, created_at=now)
            await connection.execute(make.on_conflict_do_update(list(which), set_=asked))
            row = (await connection.execute(select(tables.campaigns).where(*same))).one()
            seed = row.shuffle_seed if shuffle_seed is None else shuffle_seed
            if seed != row.shuffle_seed:
                mine = update(tables.campaigns).where(tables.campaigns.c.id == row.id)
                await connection.execute(mine.values(shuffle_seed=seed))
                await connection.execute(order.reordering(row.id, seed))
            item_id, rank = (await connection.execute(order.last(row.id))).one()
            await connection.execute(order.enrolling(row.id, item_id, rank, seed))
        return int(row.id)

    async def progress(self, campaign_id: int) -> Progress:
        """Return how far a campaign is."""
        return await self._told(reports.progress, campaign_id)

    async def bears_fruit(self, campaign_id: int, latest: int) -> bool:
        """Return whether any of the latest requests of a campaign was answered with pairs."""
        return await self._told(reports.bears_fruit, campaign_id, latest)

    async def pending(self, campaign_id: int, after: int, limit: int) -> list[WorkItem]:
        """Return up to ``limit`` waiting items with ranks above ``after``, in order."""
        async with _reading(self._engine) as connection:
            rows = await connection.execute(order.waiting(campaign_id, after, limit))
            return [WorkItem(row.id, listing_of(row), row.attempts, row.rank) for row in rows]

    async def retry_dead(self, campaign_id: int) -> int:
        """Return the dead letters of a campaign to its queue, as new; return how many."""
        work = tables.work
        statement = (
            update(work)
            .where(work.c.campaign_id == campaign_id, work.c.state == int(WorkState.DEAD))
            .values(state=int(WorkState.PENDING), attempts=0, reason="", finished_at=None)
        )
        async with self._writing() as connection:
            await opinions.retry_dead(connection, campaign_id)
            return (await connection.execute(statement)).rowcount

    async def choose_pairs(self, campaign_id: int, share: float) -> OpinionCounts:
        """Queue that share of a campaign's pairs for a second opinion; return how they stand.

        The same pairs are chosen each time; see ``curator.ledger.queue.opinions.pair_share``.
        """
        async with self._writing() as connection:
            await opinions.choose(connection, campaign_id, share)
        return await self._told(reports.opinion_counts, campaign_id)

    async def waiting_pairs(
        self, campaign_id: int, after: tuple[int, str], limit: int
    ) -> list[PairItem]:
        """Return up to ``limit`` pairs that wait for a second opinion, in order."""
        async with _reading(self._engine) as connection:
            return await opinions.waiting(connection, campaign_id, after, limit)

    async def replied_pairs(self, campaign_id: int, after: int, limit: int) -> list[RepliedPair]:
        """Return pairs with the replies to their questions, by attempt."""
        async with _reading(self._engine) as connection:
            return await opinions.replied(connection, campaign_id, after, limit)

    async def replace_opinions(self, results: Sequence[Result]) -> None:
        """Write what judging the replies again made of second opinions; attempts stay."""
        async with self._writing() as connection:
            await connection.execute(PUT, opinion_replacements_by(results).parameters())

    async def project_use(self, model: str, now: float) -> dict[str, ProjectUse]:
        """Return what each project has used of its minute and day at ``now``.

        A request that was begun and never finished counts with its estimate.
        """
        return await self._told(reports.project_use, model, now)

    async def project_records(self, model: str) -> dict[str, ProjectRecord]:
        """Return what is remembered of each project for ``model``."""
        return await self._told(reports.project_records, model)

    async def removed_keys(self) -> dict[str, RemovedKey]:
        """Return the keys that failed for good, by fingerprint."""
        return await self._told(reports.removed_keys)

    async def remember_keys(self, keys: Iterable[Key], now: float) -> None:
        """Store the keys of a run by fingerprint: these are in service, and no others.

        What failed for good and is not among ``keys`` stays as it is.
        """
        rows = [
            {
                "fingerprint": key.fingerprint,
                "label": key.label,
                "project": key.project,
                "removed_because": "",
                "updated_at": now,
                "rpm": key.quota.rpm,
                "tpm": key.quota.tpm,
                "rpd": key.quota.rpd,
            }
            for key in keys
        ]
        values = sqlite_insert(tables.keys)
        upsert = values.on_conflict_do_update(["fingerprint"], set_=dict(values.excluded))
        leave = update(tables.keys).where(tables.keys.c.removed_because == "")
        async with self._writing() as connection:
            absent = leave.values(removed_because=reports.NOT_IN_FILE, updated_at=now)
            await connection.execute(absent)
            await connection.execute(upsert, rows)

    async def reports(self, now: float) -> list[CampaignReport]:
        """Return a report of each campaign, oldest first."""
        return await self._told(reports.campaign_reports, now)

    async def memory(self, report: CampaignReport, now: float) -> Memory:
        """Return what a forecast of a campaign starts from."""
        return await self._told(reports.memory, report, now)

    async def history(self, campaign_id: int, now: float) -> History:
        """Return the course of a campaign: since its first request, or over the last day."""
        return await self._told(reports.history, campaign_id, now)

    async def newest(self, campaign_id: int, limit: int) -> list[NewestItem]:
        """Return the images of the latest replies, latest first, with what became of the pairs."""
        async with _reading(self._engine) as connection:
            return await newest_items(connection, campaign_id, limit)

    async def image_path(self, item_id: int) -> str | None:
        """Return an item's image, relative to the images folder; ``None`` if there is no such."""
        statement = select(tables.items.c.image_path).where(tables.items.c.id == item_id)
        async with _reading(self._engine) as connection:
            found: str | None = await connection.scalar(statement)
            return found

    async def pairs_after(
        self, campaign_id: int, campaign: Campaign, after: int, limit: int
    ) -> tuple[list[QAPair], int]:
        """Return the pairs of up to ``limit`` items with ids above ``after``, and the last id.

        The list is empty and the id unchanged at the end.
        """
        pairs, items, work = tables.pairs, tables.items, tables.work
        second, attempts = tables.second_opinions, tables.attempts
        page = (
            select(work.c.item_id)
            .where(
                work.c.campaign_id == campaign_id,
                work.c.state == int(WorkState.DONE),
                work.c.item_id > after,
            )
            .order_by(work.c.item_id)
            .limit(limit)
        )
        statement = (
            select(*pairs.c, items.c.image_path, items.c.listing_id, items.c.product)
            .add_columns(second.c.answer.label("second_answer"), second.c.agrees)
            .add_columns(attempts.c.model, attempts.c.model_version)
            .join(items, items.c.id == pairs.c.item_id)
            .outerjoin(attempts, attempts.c.id == pairs.c.attempt_id)
            .outerjoin(second, opinions.SAME_PAIR & (second.c.state == int(WorkState.DONE)))
            .where(pairs.c.campaign_id == campaign_id, pairs.c.item_id.in_(page))
            .order_by(pairs.c.item_id, pairs.c.position)
        )
        async with _reading(self._engine) as connection:
            rows = (await connection.execute(statement)).all()
        found = [
            QAPair(
                id=pair_id(row.image_path, row.question),
                question=row.question,
                answer=row.answer,
                filename=row.image_path,
                product=row.product,
                difficulty=row.difficulty,
                agreement=row.agreement,
                second_answer=row.second_answer or "",
                second_opinion=_OPINIONS[row.agrees],
                provenance=Provenance(
                    row.model_version or row.model or "", campaign.prompt_version, row.listing_id
                ),
            )
            for row in rows
        ]
        return found, rows[-1].item_id if rows else after

    async def answered_twice(self, campaign_id: int) -> int:
        """Return how many items of a campaign got several replies with pairs in them."""
        attempts = tables.attempts
        items = (
            select(attempts.c.item_id)
            .where(
                attempts.c.campaign_id == campaign_id,
                attempts.c.question.is_(None),
                attempts.c.outcome == Outcome.ANSWERED.value,
            )
            .group_by(attempts.c.item_id)
            .having(func.count() > 1)
        )
        async with _reading(self._engine) as connection:
            count = await connection.scalar(select(func.count()).select_from(items.subquery()))
            return count or 0

    async def replied_attempts(self, campaign_id: int) -> list[tuple[int, int]]:
        """Return item and attempt of each reply that a campaign got, by item, oldest first."""
        attempts, replies = tables.attempts, tables.replies
        statement = (
            select(attempts.c.item_id, attempts.c.id)
            .join(replies, replies.c.attempt_id == attempts.c.id)
            .where(attempts.c.campaign_id == campaign_id, attempts.c.question.is_(None))
            .order_by(attempts.c.item_id, attempts.c.id)
        )
        async with _reading(self._engine) as connection:
            return [(row[0], row[1]) for row in await connection.execute(statement)]

    async def replied_items(
        self, campaign_id: int, attempt_ids: Sequence[int]
    ) -> list[RepliedItem]:
        """Return the items that these attempts were about, with the replies, by item."""
        attempts, replies, work, items = (
            tables.attempts,
            tables.replies,
            tables.work,
            tables.items,
        )
        maker = (
            select(func.max(tables.pairs.c.attempt_id))
            .where(tables.pairs.c.campaign_id == campaign_id, tables.pairs.c.item_id == items.c.id)
            .scalar_subquery()
        )
        statement = (
            select(replies.c.attempt_id, replies.c.body, work.c.state, work.c.attempts)
            .add_columns(attempts.c.annotator, attempts.c.model, attempts.c.model_version)
            .add_columns(work.c.reason, maker.label("maker_id"), *items.c)
            .join(attempts, attempts.c.id == replies.c.attempt_id)
            .join(items, items.c.id == attempts.c.item_id)
            .join(work, work.c.item_id == items.c.id)
            .where(work.c.campaign_id == campaign_id, replies.c.attempt_id.in_(attempt_ids))
            .order_by(items.c.id, replies.c.attempt_id)
        )
        async with _reading(self._engine) as connection:
            return replied_items((await connection.execute(statement)).all())

    async def replace_pairs(self, results: Sequence[Result]) -> None:
        """Put the verdicts of ``results`` in the place of what their items had; attempts stay."""
        async with self._writing() as connection:
            await connection.execute(PUT, replacements_by(results).parameters())

    async def reply(self, attempt_id: int) -> str | None:
        """Return the body that an attempt got, as received."""
        statement = select(tables.replies.c.body).where(tables.replies.c.attempt_id == attempt_id)
        async with _reading(self._engine) as connection:
            packed = await connection.scalar(statement)
            return None if packed is None else unpack_reply(packed)


def _next_rows(listings: Iterator[Listing]) -> list[Row]:
    return [listing_row(one) for one in islice(listings, IMPORT_BATCH)]


@asynccontextmanager
async def _reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    with translated():
        async with engine.connect() as connection:
            yield connection
