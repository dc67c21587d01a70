"""Which key and which model serve next, and how long to wait for them.

The models are in order of preference: one is asked as long as some key can take a request for it
now, or may once its first request is answered, and the next one while none can. Of those keys, the
one that served longest ago: all take turns, those of one project too, although each request closes
it to all of them for a while. Quota is counted per project and model before the request is sent (a
lease) and settled after it. The pool keeps no file: what must outlive the process leaves it as
``ProjectRecord`` and is handed back at the next start.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Collection, Mapping, Sequence

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Window
from shared.endpoints.pool.exhaustion import KeysExhausted, OnExhausted, no_key_left
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.members import PoolMembers
from shared.endpoints.pool.project import Project
from shared.endpoints.pool.rate import PlainRate
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse
from shared.endpoints.pool.removals import removal_line
from shared.endpoints.pool.trials import Trials
from shared.endpoints.pool.usage import Opening
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ModelRefused,
    ProjectRefused,
    RateLimited,
    Refusal,
)
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.program.clock import Clock
from shared.program.durations import local_time
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


class KeyPool(PoolMembers):
    """The keys of a run, and the models that they ask."""

    def __init__(
        self,
        keys: Sequence[Key],
        models: Sequence[AskedModel],
        *,
        clock: Clock,
        stop: AsyncStopSignal,
        on_exhausted: OnExhausted,
        rng: random.Random,
        use: Mapping[Meter, ProjectUse],
        records: Mapping[Meter, ProjectRecord],
        untried: Sequence[Key] = (),
        closed: Collection[Meter] = (),
        rate: PlainRate | None = None,
    ) -> None:
        """Start with what the ledger remembers: ``use`` and ``records``.

        Each of the ``untried`` keys gets a second request only once its first was taken. ``closed``
        are not asked at all. ``rate`` holds for all keys together.
        """
        now = clock.now()
        projects = {
            (meter := Meter(key.project, model.name)): Project.restored(
                meter,
                model.quota_with(key.quota),
                now,
                use.get(meter),
                records.get(meter),
                is_closed=meter in closed,
            )
            for key in keys
            for model in models
        }
        super().__init__(keys, models, projects)
        self._rate = rate
        self._clock = clock
        self._stop = stop
        self._on_exhausted = on_exhausted
        self._rng = rng
        self.removed_at: dict[str, float] = {}
        self._trials = Trials(untried)
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._told_exhausted: Mapping[str, str] = {}

    async def lease(
        self,
        tokens: Mapping[str, int],
        avoided: str = "",
        on_exhausted: OnExhausted | None = None,
    ) -> Lease:
        """Return a key and a model that can take a request now, waiting for them if need be.

        ``tokens`` are those of the request, by model that may be asked; the ``avoided`` one is only
        where no other can serve before the next quota day. ``on_exhausted``: if not as in the run.

        Raises:
            KeysExhausted: none can before the next quota day, and the run is not to wait.
            NoProjectMayUse: every key says so of every model.
            StopRequested: the run is to stop.
        """
        rate = self._rate
        if rate is None and not self._turn.locked() and (lease := self._at_once(tokens, avoided)):
            return lease
        # One waiter computes and sleeps; the others queue behind it.
        async with self._turn:
            while True:
                if self._stop.requested:
                    raise StopRequested
                now = self._clock.now()
                self._changed.clear()
                turn, openings = self._next_turn(tokens, now, avoided)
                if turn is None:
                    await self._wait_for_opening(openings, tokens, now, on_exhausted)
                elif rate is not None:
                    # Meanwhile the key may have been closed: it is looked for once more.
                    await rate.admit(self._stop)
                    rate = None
                else:
                    key, model = turn
                    return self._reserve(key, model, tokens[model], now)

    def _at_once(self, tokens: Mapping[str, int], avoided: str) -> Lease | None:
        """Return a key and a model that can take a request now; ``None`` where it is to wait.

        Whoever queues at a lock makes all who come after queue too, until none comes for a while.

        Raises:
            StopRequested: the run is to stop.
        """
        if self._stop.requested:
            raise StopRequested
        now = self._clock.now()
        turn, _ = self._next_turn(tokens, now, avoided)
        return None if turn is None else self._reserve(*turn, tokens[turn[1]], now)

    def may_send(self, lease: Lease) -> bool:
        """Return whether nothing that was told since ``lease`` speaks against its request."""
        is_open = self._projects[lease.meter].may_send(lease.reservation, self._clock.now())
        return is_open and lease.key.fingerprint not in self._removed

    def waits(self, lease: Lease) -> None:
        """Heed that the request of ``lease`` has still to get its connection."""
        self._projects[lease.meter].usage.delay(lease.reservation)

    def left(self, lease: Lease) -> None:
        """Count the request of ``lease`` from now on: it is sent."""
        self._projects[lease.meter].usage.send(lease.reservation, self._clock.now())

    def over(self, lease: Lease) -> None:
        """Heed that the request of ``lease`` has its answer, or will have none."""
        self._projects[lease.meter].usage.end(lease.reservation, self._clock.now())

    def settle(self, lease: Lease, tokens: int) -> ProjectRecord | None:
        """Count the true tokens of an answered request.

        Returns the project's record if this success ended a cool-down.
        """
        project = self._projects[lease.meter]
        ends_cool_down = project.settle(lease.reservation, tokens)
        is_news = self._prove(lease) or ends_cool_down
        return project.record() if is_news else None

    def taken(self, lease: Lease) -> None:
        """Count that the server took the key of ``lease``, whatever it said of the request."""
        self._prove(lease)

    def unanswered(self, lease: Lease) -> None:
        """Count a request that came to nothing which would tell about its key."""
        self._trials.end(lease.key, lease.meter)
        self._changed.set()

    def _prove(self, lease: Lease) -> bool:
        """Count that a key was taken; return whether its project was refused in the last run."""
        self._trials.prove(lease.key, lease.meter)
        self._changed.set()
        project = self._projects[lease.meter]
        if not project.refused_because or project.is_closed:
            return False
        project.refused_because = ""
        return True

    def give_back(self, lease: Lease) -> None:
        """Forget a lease whose request was never sent."""
        self._projects[lease.meter].give_back(lease.reservation)
        self.unanswered(lease)

    def cool_down(self, lease: Lease, refusal: RateLimited) -> ProjectRecord:
        """Close the project of ``lease`` for as long as the refusal says; believe its limits."""
        project = self._projects[lease.meter]
        self._prove(lease)
        project.cool_down(refusal, lease.at, self._clock.now(), self._rng)
        log.info(
            "key_cooling_down",
            key=lease.key.label,
            project=lease.key.project,
            model=lease.model,
            window=refusal.window.value,
            reason=refusal.reason,
            until=local_time(project.blocked_until),
        )
        return project.record()

    def remove(self, key: Key, refusal: Refusal) -> bool:
        """Take a key that fails for good out of the pool; false if it had left already."""
        if key not in self._keys:
            return False
        self._left[key.label] = refusal
        self._take_out(key, refusal)
        return True

    def _take_out(self, key: Key, refusal: Refusal) -> None:
        self._keys.remove(key)
        self._removed[key.fingerprint] = refusal.reason
        if isinstance(refusal, InvalidKey):
            self.removed_at[key.fingerprint] = self._clock.now()
        log.warning(removal_line(key, refusal))
        self._trials.drop(key)
        self._changed.set()

    def close(self, lease: Lease, refusal: ProjectRefused) -> list[ProjectRecord]:
        """Ask a project no more for the model of ``lease``, or for any where none is served there.

        Its keys leave once there is no model that they may ask. Returns what has changed.
        """
        of_one = isinstance(refusal, ModelRefused)
        meters = [lease.meter] if of_one else self._meters_of(lease.key.project)
        self._close(meters, refusal)
        self.unanswered(lease)
        return [self._projects[meter].record() for meter in meters]

    def close_model(self, model: str, refusal: ModelRefused) -> list[ProjectRecord]:
        """Ask no project any more for a model; return what has changed."""
        meters = [meter for meter, project in self._projects.items() if meter.model == model]
        meters = [meter for meter in meters if not self._projects[meter].is_closed]
        for meter in meters:
            self._close([meter], refusal)
        self._changed.set()
        return [self._projects[meter].record() for meter in meters]

    def _close(self, meters: Sequence[Meter], refusal: ProjectRefused) -> None:
        """Close meters of one project."""
        name, model = meters[0]
        is_news = not self._projects[meters[0]].is_closed
        for meter in meters:
            self._projects[meter].is_closed = True
            self._projects[meter].refused_because = refusal.reason
        keys = [key for key in self._keys if key.project == name]
        for key in keys:
            is_one_of_many = isinstance(refusal, ModelRefused) and len(self._models) > 1
            self._left[f"{key.label} for {model}" if is_one_of_many else key.label] = refusal
        if all(self._projects[meter].is_closed for meter in self._meters_of(name)):
            for key in keys:
                self._take_out(key, refusal)
        elif is_news:
            log.warning(
                "project_may_not_use_model",
                project=name,
                model=model,
                reason=refusal.reason,
                goes_on="its keys, with other models",
            )
            if not self._serves([model]):
                others = [each for each in self._models if self._serves([each])]
                log.warning("no_project_may_use_model", model=model, goes_on=", ".join(others))

    def _next_turn(
        self, tokens: Mapping[str, int], now: float, avoided: str
    ) -> tuple[tuple[Key, str] | None, Mapping[Meter, Opening]]:
        """Return the key and model whose turn it is, if any can serve, and when others do."""
        openings: dict[Meter, Opening] = {}
        for model in self._models:
            if model != avoided and model in tokens:
                turn, is_on_trial = self._turn_of(model, tokens[model], now, openings)
                if turn is not None or is_on_trial:
                    return turn, openings
        if avoided in tokens and all(opening.window is Window.DAY for opening in openings.values()):
            return self._turn_of(avoided, tokens[avoided], now, openings)[0], openings
        return None, openings

    def _turn_of(
        self, model: str, tokens: int, now: float, openings: dict[Meter, Opening]
    ) -> tuple[tuple[Key, str] | None, bool]:
        """Return the key that can ask a model now, and whether a trial under way may bring one.

        Notes in ``openings`` when projects that cannot can.
        """
        is_on_trial = False
        for key in self._keys:
            meter = Meter(key.project, model)
            project = self._projects[meter]
            if meter in openings or project.is_closed:
                continue
            opening = project.opening(tokens, now)
            if opening.at > now:
                openings[meter] = opening
            elif self._trials.may_ask(key, meter):
                return (key, model), False
            else:
                is_on_trial = True
        return None, is_on_trial

    def _reserve(self, key: Key, model: str, tokens: int, now: float) -> Lease:
        self._keys.remove(key)
        self._keys.append(key)
        meter = Meter(key.project, model)
        self._trials.begin(key, meter)
        return Lease(key, meter, self._projects[meter].reserve(tokens, now))

    async def _wait_for_opening(
        self,
        openings: Mapping[Meter, Opening],
        tokens: Mapping[str, int],
        now: float,
        on_exhausted: OnExhausted | None,
    ) -> None:
        """Sleep until the first of ``openings``, or until something changes."""
        if not self._serves(tokens):
            raise no_key_left(self._left, self._models)
        if not openings:
            await self._stop.wait(self._changed)
            return
        first = min((opening.at for opening in openings.values()), default=math.inf)
        is_spent = all(opening.window is Window.DAY for opening in openings.values())
        if is_spent and self._trials.are_under_way:
            # What is on trial may serve at once, long before the others' next day.
            await self._stop.wait(self._changed)
            return
        if is_spent:
            opens_at = min(
                self._projects[meter].reopens_at(tokens[meter.model], now) for meter in openings
            )
            exhausted = KeysExhausted(opens_at if math.isfinite(opens_at) else None)
            if (on_exhausted or self._on_exhausted) is OnExhausted.STOP or math.isinf(first):
                raise exhausted
            self._tell_exhausted(opens_at, first)
        await self._stop.sleep(self._clock, first - now, self._changed)

    def _tell_exhausted(self, opens_at: float, first: float) -> None:
        """Log until when the run waits, and when it tries before that; once, until that changes."""
        probe = {"tried_at": local_time(first)} if first < opens_at else {}
        until = local_time(opens_at) if math.isfinite(opens_at) else "a key is served again"
        told = {"waiting_until": until, **probe}
        if told != self._told_exhausted:
            self._told_exhausted = told
            log.warning("All API keys exhausted", **told)
