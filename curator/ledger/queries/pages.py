"""What is read of a ledger page by page, through SQLAlchemy: imported once it is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database.engine import ledger_engine
from curator.ledger.errors import translated
from curator.ledger.queries import replies
from curator.ledger.queries.newest import newest_items
from curator.ledger.records.overview import NewestItem
from curator.ledger.records.work import RepliedItem, RepliedPair

Asked = ParamSpec("Asked")
Told = TypeVar("Told")


class Pages:
    """A migrated ledger file, open for long reads."""

    def __init__(self, path: Path) -> None:
        self._engine = ledger_engine(path)

    async def close(self) -> None:
        """Let go of the file."""
        await self._engine.dispose()

    async def newest(self, campaign_id: int, limit: int) -> list[NewestItem]:
        """Return the images of the latest replies, latest first, with what became of the pairs."""
        return await self._queried(newest_items, campaign_id, limit)

    async def replied_attempts(self, campaign_id: int) -> list[tuple[int, int]]:
        """Return item and attempt of each reply that a campaign got, by item, oldest first."""
        return await self._queried(replies.replied_attempts, campaign_id)

    async def replied_items(
        self, campaign_id: int, attempt_ids: Sequence[int]
    ) -> list[RepliedItem]:
        """Return the items that these attempts were about, with the replies, by item."""
        return await self._queried(replies.replied_items, campaign_id, attempt_ids)

    async def replied_pairs(self, campaign_id: int, after: int, limit: int) -> list[RepliedPair]:
        """Return pairs with the replies to their questions, by attempt."""
        return await self._queried(replies.replied_pairs, campaign_id, after, limit)

    async def _queried(
        self,
        query: Callable[Concatenate[AsyncConnection, Asked], Awaitable[Told]],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Told:
        with translated(SQLAlchemyError):
            async with self._engine.connect() as connection:
                return await query(connection, *args, **kwargs)
