"""Whoever waits shares a transaction, and learns what became of it."""

from __future__ import annotations

import asyncio

import pytest

from curator.ledger.writing.group import GroupCommit


async def test_whatever_goes_wrong_reaches_all_who_wait():
    async def write(entries):
        raise ZeroDivisionError

    group: GroupCommit[int] = GroupCommit(write)
    for waiting in (group.add(1), group.add(2)):
        with pytest.raises(ZeroDivisionError):
            await waiting


@pytest.mark.parametrize("first", ["who waits", "the runner"])
async def test_what_is_added_while_all_is_cancelled_is_still_written(first):
    written: list[int] = []
    begun = asyncio.Event()

    async def write(entries):
        if 2 in entries:
            written.extend(entries)
            return
        begun.set()
        await asyncio.sleep(20)

    group: GroupCommit[int] = GroupCommit(write)

    async def work() -> None:
        try:
            await group.add(1)
        finally:
            await group.add(2)

    worker = asyncio.create_task(work())
    await begun.wait()
    runner = group._runner
    both = [worker, runner] if first == "who waits" else [runner, worker]
    for task in both:
        task.cancel()
    await asyncio.wait(both, timeout=10)
    assert (worker.done(), written) == (True, [2])
