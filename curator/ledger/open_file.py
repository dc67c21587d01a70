"""The ledger's file, open: who may write, and when.

Groups of results and what is asked of the whole go through plain ``sqlite3``, all else through
SQLAlchemy.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from curator.ledger.database.engine import ledger_engine
from curator.ledger.database.plain import reading
from curator.ledger.errors import translated
from curator.ledger.queue.functions import teach_functions
from curator.ledger.writing.entries import Entry, changes_by
from curator.ledger.writing.group import GroupCommit
from curator.ledger.writing.group_writer import GroupWriter
from curator.ledger.writing.inbox import Inbox

Asked = ParamSpec("Asked")
Told = TypeVar("Told")


class OpenFile:
    """A migrated ledger file, open for reading and writing."""

    def __init__(self, path: Path, engine: AsyncEngine, groups: GroupWriter) -> None:
        self._path = path
        self._engine = engine
        self._groups = groups
        self._group: GroupCommit[Entry] = GroupCommit(self._write_group)
        self._writer = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, path: Path) -> AsyncIterator[OpenFile]:
        """Open the file at ``path``; at the end, what was added is written first."""
        engine = ledger_engine(path, teach_functions)
        groups = GroupWriter(path)
        try:
            file = cls(path, engine, groups)
            try:
                yield file
            finally:
                await file.drain()
        finally:
            groups.close()
            await engine.dispose()

    def add(self, *entries: Entry) -> asyncio.Future[None]:
        """Write ``entries``, all or none; the future is done once they are durable."""
        return self._group.add(*entries)

    async def drain(self) -> None:
        """Return once everything that was added so far is durable or has failed."""
        await self._group.drain()

    async def write(self, changes: Inbox) -> None:
        """Make ``changes``, all or none."""
        async with self._writer:
            await self._groups.write(changes)

    async def changed(
        self,
        change: Callable[Concatenate[AsyncConnection, Asked], Awaitable[Told]],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        """Return what ``change`` returns, in a transaction of its own."""
        # SQLite has one writer; queueing here, a long import cannot time the others out.
        async with self._writer:
            with translated(SQLAlchemyError):
                async with self._engine.begin() as connection:
                    return await change(connection, *args, **kwargs)

    async def queried(
        self,
        query: Callable[Concatenate[AsyncConnection, Asked], Awaitable[Told]],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        """Return what ``query`` returns, which changes nothing."""
        with translated(SQLAlchemyError):
            async with self._engine.connect() as connection:
                return await query(connection, *args, **kwargs)

    async def told(
        self,
        report: Callable[Concatenate[sqlite3.Connection, Asked], Told],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        """Return what ``report`` returns, in a thread and of one moment."""

        def tell() -> Told:
            with reading(self._path) as connection:
                return report(connection, *args, **kwargs)

        return await asyncio.to_thread(tell)

    async def _write_group(self, entries: Sequence[Entry]) -> None:
        await self.write(changes_by(entries))
