"""Which key and model make the next batch job: quota of jobs is counted apart from all other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from curator.campaign.batch.pace import MOST_IMAGES
from shared.endpoints.keys.key import Key
from shared.endpoints.pool.exhaustion import NoProjectMayUse
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import Meter
from shared.endpoints.refusals.refusal import RateLimited
from shared.program.clock import Clock
from shared.program.durations import MINUTE_S, local_time
from shared.program.reporting.event_log import EventLog

LONGEST_REST_S: Final = 60 * MINUTE_S
"""A quota of jobs is there again once some of them are over, which no refusal can foretell."""

log = EventLog(__name__)


@dataclass(slots=True)
class BatchMeters:
    """The projects and models whose quota of batch jobs is used up, and until when they rest.

    ``why`` is what each was told last. A quota may be smaller than a whole job: ``_most_images``
    are those that a job may have after larger ones found no room.
    """

    pool: KeyPool
    clock: Clock
    why: dict[Meter, str] = field(default_factory=dict)
    _until: dict[Meter, float] = field(default_factory=dict)
    _refusals: Counter[Meter] = field(default_factory=Counter)
    _most_images: dict[Meter, int] = field(default_factory=dict)

    def next_turn(self, avoided: str, open_jobs: Mapping[Meter, int]) -> tuple[Key, str] | None:
        """Return the key and model that are to make a job; ``None`` where all rest.

        The models go by preference, their keys by how few jobs their projects have open. The
        ``avoided`` model comes last.

        Raises:
            KeysExhausted, NoProjectMayUse: no key is left, and why.
        """
        now = self.clock.now()
        try:
            in_service = self.pool.in_service_for_jobs()
        except NoProjectMayUse as end:
            # What a model says that has no batches is what one says that is not there at all.
            raise NoProjectMayUse(
                f"{end}, or another --tier (the same is said where batch jobs alone are lacking)"
            ) from end
        ready = [
            (key, model)
            for key, model in in_service
            if self._until.get(Meter(key.project, model), 0.0) <= now
        ]
        if not ready:
            return None
        models = list(dict.fromkeys(model for _, model in ready))
        model = next((model for model in models if model != avoided), models[0])
        keys = [key for key, other in ready if other == model]
        return min(keys, key=lambda key: open_jobs.get(Meter(key.project, model), 0)), model

    def most_images(self, meter: Meter) -> int:
        """Return how many requests a job may have at most."""
        return self._most_images.get(meter, MOST_IMAGES)

    def make_smaller(self, meter: Meter, images: int, refusal: RateLimited) -> bool:
        """Make jobs half as large where one of ``images`` found no room and none is open.

        Returns false where it was as small as can be.
        """
        if images <= 1:
            # So it was not for their size that the larger ones were refused.
            self._most_images.pop(meter, None)
            return False
        most = self._most_images[meter] = images // 2
        log.info(
            "batch_jobs_made_smaller",
            project=meter.project,
            model=meter.model,
            reason=refusal.reason,
            images=most,
        )
        return True

    def rest(self, meter: Meter, refusal: RateLimited, *, others_are_open: bool) -> None:
        """Make no job for a while: its quota is used up, or too many are open.

        Where ``others_are_open``, that is until one of them is over, but for a try now and then.
        """
        now = self.clock.now()
        doubled_s = MINUTE_S * 2 ** min(self._refusals[meter], 10)
        self._refusals[meter] += 1
        longest_s = math.inf if others_are_open else max(refusal.retry_after_s or 0.0, doubled_s)
        wait_s = min(LONGEST_REST_S, longest_s)
        self._until[meter] = now + wait_s
        self.why[meter] = refusal.reason
        log.warning(
            "batch_quota_used_up",
            project=meter.project,
            model=meter.model,
            reason=refusal.reason,
            until=local_time(now + wait_s),
        )

    def job_ended(self, meter: Meter) -> None:
        """Heed that a job is over, so that another one may find room."""
        self._until.pop(meter, None)
        self._refusals.pop(meter, None)

    def ready_in_s(self) -> float:
        """Return seconds until a job may be made again; infinite where none rests."""
        now = self.clock.now()
        return min((until - now for until in self._until.values() if until > now), default=math.inf)
