"""What the pool hands out: a key and a model, with a request that is counted; pure."""

from __future__ import annotations

from shared.endpoints.keys.key import Key
from shared.endpoints.pool.records import Meter
from shared.endpoints.pool.usage import Reservation
from shared.value_class import value_class


@value_class
class Lease:
    """A key and a model, and a request and tokens reserved on its project at ``at``."""

    key: Key
    meter: Meter
    reservation: Reservation

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self.meter.model

    @property
    def at(self) -> float:
        """Since when the request counts, seconds since the epoch."""
        return self.reservation.at

    @property
    def left_late_at(self) -> float | None:
        """When it was sent, where that was well after it was reserved."""
        return self.reservation.at if self.reservation.is_late else None
