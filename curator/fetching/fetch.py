"""Fetches many pictures: few at once from each host, again where that may help, until all are told.

What is there is not fetched again, so that the same command goes on after any stop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from curator.fetching.failures import FailuresFile
from curator.fetching.hosts import MOST_TRIES, HostQueue, by_host
from curator.fetching.limits import FetchLimits
from curator.fetching.pictures import FetchedPictures
from curator.fetching.requests import NotFetched, opened_session, picture_content
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.program.clock import Clock

if TYPE_CHECKING:
    import aiohttp

_DECODERS: Final = 2
"""Pictures that are decoded at once, for each may take hundreds of megabytes."""


@dataclass(slots=True)
class FetchCounts:
    """What became of the URLs: fetched, failed, and left because a host wants to be left alone."""

    fetched: int = 0
    failed: int = 0
    put_off: int = 0


async def fetch_pictures(
    urls: Sequence[str],
    pictures: FetchedPictures,
    limits: FetchLimits,
    failures: FailuresFile,
    *,
    stop: AsyncStopSignal,
    clock: Clock,
    advance: Callable[[], None] = lambda: None,
) -> FetchCounts:
    """Fetch each of ``urls`` and return what became of them; those not begun at a stop are left.

    ``advance`` is called as each is settled.

    Raises:
        InputError: nothing can be written to the folder.
    """
    with ThreadPoolExecutor(_DECODERS, thread_name_prefix="fetched") as decoders:
        async with opened_session(limits) as session:
            work = _Work(
                session=session,
                pictures=pictures,
                limits=limits,
                failures=failures,
                stop=stop,
                clock=clock,
                advance=advance,
                decoders=decoders,
                slots=asyncio.Semaphore(limits.at_once),
            )
            await work.all(by_host(urls))
    return work.counts


@dataclass(kw_only=True, slots=True)
class _Work:
    session: aiohttp.ClientSession
    pictures: FetchedPictures
    limits: FetchLimits
    failures: FailuresFile
    stop: AsyncStopSignal
    clock: Clock
    advance: Callable[[], None]
    decoders: ThreadPoolExecutor
    slots: asyncio.Semaphore
    dice: random.Random = field(default_factory=random.Random)
    counts: FetchCounts = field(default_factory=FetchCounts)

    async def all(self, hosts: Sequence[HostQueue]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for host in hosts:
                    for _ in range(min(self.limits.at_once_a_host, len(host.waiting))):
                        group.create_task(self._ask(host))
        except ExceptionGroup as errors:
            unwritable, others = errors.split(InputError)
            if unwritable is None or others is not None:
                raise
            raise unwritable.exceptions[0] from errors
        self.counts.put_off += sum(len(host.waiting) for host in hosts if host.is_put_off)

    async def _ask(self, host: HostQueue) -> None:
        """Work on a host's URLs, as one of several that do."""
        while host.waiting and not host.is_put_off:
            if host.is_silent:
                self._fail(host.waiting.popleft()[0], f"{host.name} does not answer")
                continue
            try:
                # Also where there is nothing to wait for: a stop ends it.
                await self.stop.sleep(self.clock, host.rests_until - self.clock.now())
            except StopRequested:
                return
            async with self.slots:
                if host.waiting and host.rests_until <= self.clock.now():
                    await self._try(host, *host.waiting.popleft())

    async def _try(self, host: HostQueue, url: str, tries: int) -> None:
        try:
            content = await picture_content(self.session, url, self.limits, self.clock.now())
            host.succeeded()
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self.decoders, self.pictures.keep, url, content)
        except NotFetched as failure:
            self._after(host, url, tries + (not failure.is_throttled), failure)
        else:
            self.counts.fetched += 1
            self.advance()

    def _after(self, host: HostQueue, url: str, tries: int, failure: NotFetched) -> None:
        if failure.is_silent:
            host.silences += 1
        elif not failure.may_pass:
            # It gave an answer.
            host.succeeded()
        if not failure.may_pass or tries >= MOST_TRIES:
            self._fail(url, failure.reason)
            return
        host.waiting.append((url, tries))
        # One picture alone that fails is no reason to keep the others waiting.
        if failure.is_throttled or host.silences > 1:
            jitter = 0.5 + self.dice.random() / 2
            host.rest(failure.retry_after_s, jitter, self.clock.now())

    def _fail(self, url: str, reason: str) -> None:
        self.counts.failed += 1
        self.failures.add(url, reason)
        self.advance()
