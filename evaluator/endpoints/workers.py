"""So many questions at once, each asked once, and kept before anyone hears of it.

Where one worker meets the end of it, the others still get what they are waiting for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from evaluator.endpoints.asking import Asker, Question, Settled
from evaluator.endpoints.failing import Failing
from evaluator.endpoints.journal import Asked
from shared.errors import StoppedForNow
from shared.program.async_stopping import StopRequested

Item = TypeVar("Item")

Result = tuple[str, Asked | None]
"""A question's key and what came of it; ``None`` where it cannot be asked."""
Asks = Callable[[str, Item], Awaitable[Question | None]]
"""Makes of a key and its item the question to ask; ``None`` where there is none to make."""


class Kept(Protocol):
    """Where answers are kept: a run's journal, or the verdicts of all judges."""

    @property
    def answers(self) -> Mapping[str, Asked]:
        """All answers so far, by key."""
        ...

    def keep(self, key: str, asked: Asked) -> None:
        """Write an answer; it stays however the process ends."""
        ...


@dataclass(frozen=True, slots=True)
class _End:
    """That a worker has ended, and because of what if not for want of questions."""

    error: Exception | None


@dataclass(frozen=True, slots=True)
class Workers:
    """Asks for whoever has many questions.

    ``heard`` makes of what came what counts: a reply that says nothing of use is a failure.
    """

    in_flight: int
    failing: Failing
    kept: Kept
    heard: Callable[[Asked], Asked] = lambda asked: asked

    async def results(
        self, asker: Asker, distinct: Mapping[str, Item], asks: Asks[Item]
    ) -> AsyncIterator[Result]:
        """Yield each key with what came of its question.

        Raises:
            StoppedForNow: because of a signal; what was in flight is answered and kept.
            AboVqaError: what the first worker ended with.
        """
        results: asyncio.Queue[Result | _End] = asyncio.Queue()
        todo = deque(distinct.items())
        workers = [
            asyncio.create_task(self._work(asker, todo, asks, results))
            for _ in range(min(self.in_flight, len(distinct)))
        ]
        async for result in self._until_all_end(asker, len(workers), results):
            yield result
        for key, failed in self.failing.end():
            self.kept.keep(key, failed)
            yield key, failed

    async def _until_all_end(
        self, asker: Asker, workers: int, results: asyncio.Queue[Result | _End]
    ) -> AsyncIterator[Result]:
        ends: list[_End] = []
        while len(ends) < workers:
            result = await results.get()
            if not isinstance(result, _End):
                yield result
                continue
            ends.append(result)
            if result.error is not None:
                asker.stop.request(str(result.error))
        for error in (end.error for end in ends if end.error is not None):
            raise error
        if asker.stop.requested:
            raise StoppedForNow(
                f"{asker.stop.reason}: {len(self.kept.answers):,} answers are kept; "
                "run the same command again to go on"
            )

    async def _work(
        self,
        asker: Asker,
        todo: deque[tuple[str, Item]],
        asks: Asks[Item],
        results: asyncio.Queue[Result | _End],
    ) -> None:
        """Ask one question after the other, until there are no more or the run is to stop."""
        error: Exception | None = None
        try:
            while todo and not asker.stop.requested:
                key, item = todo.popleft()
                question = await asks(key, item)
                if question is None:
                    results.put_nowait((key, None))
                    continue
                settled = await asker.ask(question)
                if settled is None:
                    todo.append((key, item))
                    continue
                for result in self._settle(key, settled):
                    results.put_nowait(result)
        except StopRequested:
            pass
        except Exception as met:  # noqa: BLE001 - raised anew by whoever waits for results
            error = met
        results.put_nowait(_End(error))

    def _settle(self, key: str, settled: Settled) -> Iterator[tuple[str, Asked]]:
        """Write down what is settled now, and yield it."""
        asked = self.heard(settled.asked)
        if asked.failure and not settled.is_its_own:
            self.failing.failed(key, asked, is_refused=settled.is_refused)
            return
        for each in [*self.failing.answered(), (key, asked)]:
            self.kept.keep(*each)
            yield each
