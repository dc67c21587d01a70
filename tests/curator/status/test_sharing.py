"""What many ask for at the same time is made once, and never before it was asked for."""

from __future__ import annotations

import asyncio

from curator.status.page.sharing import Shared


class Maker:
    """Makes the next number, once it may; fails where it is told to."""

    def __init__(self) -> None:
        self.made, self.at_work, self.may_end = 0, 0, asyncio.Event()
        self.error: Exception | None = None

    async def make(self) -> int:
        self.at_work += 1
        assert self.at_work == 1
        await self.may_end.wait()
        self.at_work -= 1
        if self.error is not None:
            raise self.error
        self.made += 1
        return self.made


async def test_those_who_ask_at_once_share_and_whoever_comes_later_gets_a_newer_one():
    maker = Maker()
    shared = Shared(maker.make)
    first = [asyncio.create_task(shared.get()) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert maker.at_work == 1
    later = [asyncio.create_task(shared.get()) for _ in range(3)]
    await asyncio.sleep(0)
    later[0].cancel()
    maker.may_end.set()
    assert await asyncio.gather(*first, *later[1:]) == [1, 1, 1, 2, 2]
    assert await shared.get() == 3


async def test_what_could_not_be_made_is_tried_anew():
    maker = Maker()
    shared = Shared(maker.make)
    maker.may_end.set()
    maker.error = OSError("no room")
    for raised in await asyncio.gather(shared.get(), shared.get(), return_exceptions=True):
        assert isinstance(raised, OSError)
    maker.error = None
    assert await shared.get() == 1
