"""Where a batch job stands, in our words; pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class JobState(StrEnum):
    """Where a batch job stands; the words are kept in ledgers."""

    PREPARED = "prepared"
    """Nothing is known of it at the service: it is about to be made, or was when we were ended."""
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"
    """Nobody can tell what became of it: it is not there any more, or none of its keys is."""
    REFUSED = "refused"
    """The service did not take it, so that nothing was asked."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self not in _OPEN


_OPEN: Final = frozenset({JobState.PREPARED, JobState.WAITING, JobState.RUNNING})
