"""Questions that come together are answered together; too many are told to come back."""

import asyncio
import threading

import pytest

from evaluator.answering.messages import Reply
from evaluator.serve.batching import Asked, Batcher, QueueFull


class Gate:
    """An answering function that waits until it is let through, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.started = threading.Semaphore(0)
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    def answer(self, batch):
        self.batches.append([asked.question for asked in batch])
        self.started.release()
        assert self._open.wait(30)
        if any(asked.question == "raise" for asked in batch):
            raise RuntimeError("the model failed")
        return [
            Reply(str(n), f"re: {one.question}", 1.0, None, False) for n, one in enumerate(batch)
        ]


def asked(text: str) -> Asked:
    return Asked(b"image", text)


async def test_what_comes_while_the_model_works_makes_the_next_batches():
    gate = Gate()
    batcher = Batcher(gate.answer, batch_size=3, capacity=10)
    async with batcher.working():
        first = asyncio.create_task(batcher.ask(asked("0")))
        await asyncio.to_thread(gate.started.acquire)
        rest = [asyncio.create_task(batcher.ask(asked(str(n)))) for n in range(1, 6)]
        await asyncio.sleep(0)
        assert batcher.waiting == 5
        gate.open()
        replies = await asyncio.gather(first, *rest)
    assert [reply.answer for reply in replies] == [f"re: {n}" for n in range(6)]
    assert gate.batches == [["0"], ["1", "2", "3"], ["4", "5"]]
    assert batcher.batches == 3


async def test_more_than_may_wait_are_told_when_to_come_back():
    gate = Gate()
    batcher = Batcher(gate.answer, batch_size=1, capacity=2)
    async with batcher.working():
        first = asyncio.create_task(batcher.ask(asked("0")))
        await asyncio.to_thread(gate.started.acquire)
        waiting = [asyncio.create_task(batcher.ask(asked(str(n)))) for n in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as full:
            await batcher.ask(asked("3"))
        assert full.value.retry_after_s >= 1
        gate.open()
        await asyncio.gather(first, *waiting)
        assert (await batcher.ask(asked("3"))).answer == "re: 3"


async def test_a_failure_reaches_those_of_its_batch_alone():
    gate = Gate()
    gate.open()
    batcher = Batcher(gate.answer, batch_size=1, capacity=9, window_s=0)
    async with batcher.working():
        outcomes = await asyncio.gather(
            *(batcher.ask(asked(text)) for text in ("a", "raise", "b")), return_exceptions=True
        )
    assert [getattr(one, "answer", str(one)) for one in outcomes] == [
        "re: a",
        "the model failed",
        "re: b",
    ]
