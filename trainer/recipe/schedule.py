"""Learning-rate schedules: pure functions of the step, so that a run can resume anywhere."""

from __future__ import annotations

import math
from enum import StrEnum


class Schedule(StrEnum):
    """How the rate falls after the warm-up."""

    LINEAR = "linear"
    COSINE = "cosine"
    CONSTANT = "constant"


def warmup_steps(total_steps: int, minimum: int, fraction: float) -> int:
    """Return the AIM825 report's warm-up in steps: ``max(minimum, fraction * total_steps)``."""
    return max(minimum, math.ceil(fraction * total_steps))


def learning_rate_factor(schedule: Schedule, step: int, warmup: int, total: int) -> float:
    """Return the share of the peak rate for a step counted from 0: linear up, then down.

    The cosine is half a period: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    if step < warmup:
        return (step + 1) / warmup
    left = max(0.0, (total - step) / max(1, total - warmup))
    match schedule:
        case Schedule.LINEAR:
            return left
        case Schedule.COSINE:
            return 0.5 * (1 - math.cos(math.pi * left))
        case Schedule.CONSTANT:
            return 1.0
