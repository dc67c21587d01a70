"""Which key serves next, and how long to wait for one.

Of the keys that can take a request now, the one that served longest ago: all take turns, those of
one project too, although each request closes it to all of them for a while. Quota is counted per
project before the request is sent (a lease) and settled after it. The pool keeps no file: what must
outlive the process leaves it as ``ProjectRecord`` and is handed back at the next start.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from curator.keys.key import Key
from curator.keys.quota import Quota, Window
from curator.pool.exhaustion import KeysExhausted, no_key_left
from curator.pool.project import Project
from curator.pool.rate import PlainRate
from curator.pool.records import ProjectRecord, ProjectUse
from curator.pool.trials import Trials
from curator.pool.usage import Opening, Reservation
from curator.refusals.refusal import InvalidKey, ProjectRefused, RateLimited, Refusal
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.program.clock import Clock
from shared.program.durations import local_time
from shared.program.event_log import EventLog

log = EventLog("curator.pool.pool")


class OnExhausted(StrEnum):
    """What to do when no key can serve before the next quota day."""

    STOP = "stop"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Lease:
    """A key, and a request and tokens reserved on its project at ``at``."""

    key: Key
    reservation: Reservation

    @property
    def at(self) -> float:
        """Since when the request counts, seconds since the epoch."""
        return self.reservation.at

    @property
    def left_late_at(self) -> float | None:
        """When it was sent, where that was well after it was reserved."""
        return self.reservation.at if self.reservation.is_late else None


class KeyPool:
    """The keys of a run."""

    def __init__(
        self,
        keys: Sequence[Key],
        *,
        clock: Clock,
        stop: AsyncStopSignal,
        on_exhausted: OnExhausted,
        rng: random.Random,
        use: Mapping[str, ProjectUse],
        records: Mapping[str, ProjectRecord],
        untried: Sequence[Key] = (),
        rate: PlainRate | None = None,
    ) -> None:
        """Start with what the ledger remembers: ``use`` and ``records`` by project.

        Each of the ``untried`` keys gets a second request only once its first was taken. ``rate``
        holds for all keys together.
        """
        self._rate = rate
        # Those that served longest ago come first.
        self._keys = list(keys)
        self._clock = clock
        self._stop = stop
        self._on_exhausted = on_exhausted
        self._rng = rng
        self.fingerprints = frozenset(key.fingerprint for key in keys)
        self._removed: dict[str, str] = {}
        self.removed_at: dict[str, float] = {}
        self._left: dict[str, Refusal] = {}
        self._trials = Trials(untried)
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        now = clock.now()
        self._projects = {
            key.project: Project.restored(key, now, use.get(key.project), records.get(key.project))
            for key in keys
        }

    async def lease(self, tokens: int) -> Lease:
        """Return a key that can take a request of ``tokens`` now, waiting for one if need be.

        Raises:
            KeysExhausted: none can before the next quota day, and the run is not to wait.
            NoProjectMayUse: every key says so of the model.
            StopRequested: the run is to stop.
        """
        # One waiter at a time computes and sleeps; the others queue in order behind it.
        async with self._turn:
            rate = self._rate
            while True:
                if self._stop.requested:
                    raise StopRequested
                now = self._clock.now()
                self._changed.clear()
                key, openings = self._next_key(tokens, now)
                if key is None:
                    await self._wait_for_opening(openings, tokens, now)
                elif rate is not None:
                    # Meanwhile the key may have been closed: it is looked for once more.
                    await rate.admit(self._stop)
                    rate = None
                else:
                    return self._reserve(key, tokens, now)

    def may_send(self, lease: Lease) -> bool:
        """Return whether nothing that was told since ``lease`` speaks against its request."""
        project = self._projects[lease.key.project]
        is_closed = project.blocked_until > self._clock.now()
        is_probe = lease.reservation is project.probe
        return lease.key.fingerprint not in self._removed and (is_probe or not is_closed)

    def waits(self, lease: Lease) -> None:
        """Heed that the request of ``lease`` has still to get its connection."""
        self._projects[lease.key.project].usage.delay(lease.reservation)

    def left(self, lease: Lease) -> None:
        """Count the request of ``lease`` from now on: it is sent."""
        self._projects[lease.key.project].usage.send(lease.reservation, self._clock.now())

    def over(self, lease: Lease) -> None:
        """Heed that the request of ``lease`` has its answer, or will have none."""
        self._projects[lease.key.project].usage.end(lease.reservation, self._clock.now())

    def settle(self, lease: Lease, tokens: int) -> ProjectRecord | None:
        """Count the true tokens of an answered request.

        Returns the project's record if this success ended a cool-down.
        """
        project = self._projects[lease.key.project]
        project.usage.settle(lease.reservation, tokens)
        project.strikes = 0
        is_news = self._prove(lease)
        # An answer to what was sent before the cool-down says nothing about it; a probe's does.
        if lease.reservation is project.probe:
            project.probe, project.blocked_until = None, 0.0
            is_news = True
        return project.record() if is_news else None

    def taken(self, lease: Lease) -> None:
        """Count that the server took the key of ``lease``, whatever it said of the request."""
        self._prove(lease)

    def unanswered(self, lease: Lease) -> None:
        """Count a request that came to nothing which would tell about its key."""
        self._trials.end(lease.key)
        self._changed.set()

    def _prove(self, lease: Lease) -> bool:
        """Count that a key was taken; return whether its project was refused in the last run."""
        self._trials.prove(lease.key)
        self._changed.set()
        project = self._projects[lease.key.project]
        if not project.refused_because or lease.key.label in self._left:
            return False
        project.refused_because = ""
        return True

    def give_back(self, lease: Lease) -> None:
        """Forget a lease whose request was never sent."""
        project = self._projects[lease.key.project]
        project.usage.give_back(lease.reservation)
        if lease.reservation is project.probe:
            project.probe, project.probe_at = None, lease.at
        self.unanswered(lease)

    def cool_down(self, lease: Lease, refusal: RateLimited) -> ProjectRecord:
        """Close the project of ``lease`` for as long as the refusal says; believe its limits."""
        project = self._projects[lease.key.project]
        self._prove(lease)
        project.cool_down(refusal, lease.at, self._clock.now(), self._rng)
        log.info(
            "key_cooling_down",
            key=lease.key.label,
            project=project.name,
            window=refusal.window.value,
            reason=refusal.reason,
            until=local_time(project.blocked_until),
        )
        return project.record()

    def remove(self, key: Key, refusal: Refusal) -> bool:
        """Take a key that fails for good out of the pool; false if it had left already."""
        if key not in self._keys:
            return False
        self._keys.remove(key)
        self._removed[key.fingerprint] = refusal.reason
        if isinstance(refusal, InvalidKey):
            self.removed_at[key.fingerprint] = self._clock.now()
        self._left[key.label] = refusal
        log.warning(f"Key {key.label} failed ({refusal.reason}); removing from pool.")  # noqa: G004
        self._trials.end(key)
        self._changed.set()
        return True

    def close(self, lease: Lease, refusal: ProjectRefused) -> ProjectRecord:
        """Take all keys of a project that is not served out of the pool."""
        project = self._projects[lease.key.project]
        project.refused_because = refusal.reason
        for key in [key for key in self._keys if key.project == project.name]:
            self.remove(key, refusal)
        return project.record()

    @property
    def removed(self) -> Mapping[str, str]:
        """Why keys left the pool, by fingerprint."""
        return self._removed

    @property
    def refused(self) -> Mapping[str, str]:
        """Why projects are not served, empty for those that are, by name."""
        return {name: project.refused_because for name, project in self._projects.items()}

    def records(self) -> dict[str, ProjectRecord]:
        """Return each project's cool-down and what it taught, as they are now."""
        return {name: project.record() for name, project in self._projects.items()}

    def quotas(self, now: float) -> dict[str, Quota]:
        """Return the limits of each project, as stated and learned."""
        return {name: project.quota(now) for name, project in self._projects.items()}

    def requests_today(self, now: float) -> dict[str, int]:
        """Return each project's requests since its quota day began."""
        projects = self._projects.items()
        return {name: project.usage.requests_in(Window.DAY, now) for name, project in projects}

    def _next_key(self, tokens: int, now: float) -> tuple[Key | None, Mapping[str, Opening]]:
        """Return the key whose turn it is, if one can serve, and when the projects before it do."""
        openings: dict[str, Opening] = {}
        for key in self._keys:
            if key.project in openings or not self._trials.may_ask(key):
                continue
            opening = self._projects[key.project].opening(tokens, now)
            if opening.at <= now:
                return key, openings
            openings[key.project] = opening
        return None, openings

    def _reserve(self, key: Key, tokens: int, now: float) -> Lease:
        self._keys.remove(key)
        self._keys.append(key)
        project = self._projects[key.project]
        reservation = project.usage.reserve(tokens, now)
        self._trials.begin(key)
        if project.blocked_until > now:
            project.probe, project.probe_at = reservation, None
        return Lease(key, reservation)

    async def _wait_for_opening(
        self, openings: Mapping[str, Opening], tokens: int, now: float
    ) -> None:
        """Sleep until the first of ``openings``, by project, or until something changes."""
        if not self._keys:
            raise no_key_left(self._left)
        if not openings:
            await self._stop.wait(self._changed)
            return
        first = min((opening.at for opening in openings.values()), default=math.inf)
        is_spent = all(opening.window is Window.DAY for opening in openings.values())
        if is_spent and not self._trials.are_under_way:
            surely = [self._projects[name].reopens_at(tokens, now) for name in openings]
            opens_at = min(surely, default=math.inf)
            exhausted = KeysExhausted(opens_at if math.isfinite(opens_at) else None)
            if self._on_exhausted is OnExhausted.STOP or math.isinf(first):
                raise exhausted
            log.warning("All API keys exhausted", waiting_until=local_time(first))
        await self._stop.sleep(self._clock, first - now, self._changed)
