"""Many that are ready at once share out the turns of the loop, in order."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from shared.program.process.loop_turns import LoopTurns


async def test_so_many_go_on_in_a_turn_and_the_others_in_the_next_ones_in_order():
    turns, gone_on, seen = LoopTurns(2), [], []

    async def go_on(name: int) -> None:
        await turns.taken()
        gone_on.append(name)

    async def look() -> None:
        while len(gone_on) < 7:
            seen.append(len(gone_on))
            await asyncio.sleep(0)

    await asyncio.gather(*(go_on(name) for name in range(7)), look())
    assert gone_on == list(range(7))
    assert max(after - before for before, after in pairwise(seen)) == 2


async def test_who_is_cancelled_takes_no_turn():
    turns = LoopTurns(1)
    first, second, third = (asyncio.create_task(turns.taken()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(first, third)
    assert second.cancelled()


async def test_there_is_room_again_in_a_later_turn():
    turns = LoopTurns(1)
    for _ in range(3):
        await turns.taken()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await turns.taken()
