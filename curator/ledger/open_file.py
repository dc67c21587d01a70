"""The ledger's file, open: who may write, and when.

Through plain ``sqlite3`` alone; what is read page by page goes its own way, see
``curator.ledger.queries.pages``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from curator.ledger.database.plain import reading
from curator.ledger.queue.functions import teach_functions
from curator.ledger.writing.entries import Entry, changes_by
from curator.ledger.writing.group import GroupCommit
from curator.ledger.writing.group_writer import GroupWriter
from curator.ledger.writing.inbox import Inbox

Asked = ParamSpec("Asked")
Told = TypeVar("Told")


class OpenFile:
    """A migrated ledger file, open for reading and writing."""

    def __init__(self, path: Path, writer: GroupWriter) -> None:
        self._path = path
        self._writer = writer
        self._group: GroupCommit[Entry] = GroupCommit(self._write_group)

    @classmethod
    @asynccontextmanager
    async def opened(cls, path: Path) -> AsyncIterator[OpenFile]:
        """Open the file at ``path``; at the end, what was added is written first."""
        writer = GroupWriter(path, teach_functions)
        try:
            file = cls(path, writer)
            try:
                yield file
            finally:
                await file.drain()
        finally:
            writer.close()

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    def add(self, *entries: Entry) -> asyncio.Future[None]:
        """Write ``entries``, all or none; the future is done once they are durable."""
        return self._group.add(*entries)

    async def drain(self) -> None:
        """Return once everything that was added so far is durable or has failed."""
        await self._group.drain()

    async def write(self, changes: Inbox) -> None:
        """Make ``changes``, all or none."""
        await self._writer.write(changes)

    async def changed(
        self,
        change: Callable[Concatenate[sqlite3.Connection, Asked], Told],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        """Return what ``change`` returns, in a transaction of its own."""
        return await self._writer.change(lambda connection: change(connection, *args, **kwargs))

    async def told(
        self,
        report: Callable[Concatenate[sqlite3.Connection, Asked], Told],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        """Return what ``report`` returns, in a thread and of one moment."""

        def tell() -> Told:
            with reading(self._path) as connection:
                teach_functions(connection)
                return report(connection, *args, **kwargs)

        return await asyncio.to_thread(tell)

    async def _write_group(self, entries: Sequence[Entry]) -> None:
        await self.write(changes_by(entries))
