"""One line about a run in progress: how the loss went, the held-out score, memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 16


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """Return ``values`` as a row of at most ``width`` bars, each the mean of its share of them."""
    if not values:
        return ""
    count = min(width, len(values))
    cuts = [len(values) * number // count for number in range(count + 1)]
    means = [sum(values[first:last]) / (last - first) for first, last in pairwise(cuts)]
    low, high = min(means), max(means)
    # The share of the span first: of a span near zero the reciprocal would be infinite.
    span = high - low or 1.0
    return "".join(BARS[round((mean - low) / span * (len(BARS) - 1))] for mean in means)


def live_note(losses: Sequence[float], held_out: Sequence[float], peak_gib: float) -> str:
    """Return what stands beside the progress of training; ``held_out`` has a score an epoch."""
    parts = [f"loss {losses[-1]:.3f} {sparkline(losses)}"]
    if held_out:
        parts.append(f"held-out {held_out[-1]:.4f} (best {max(held_out):.4f})")
    parts.append(f"peak {peak_gib:.1f} GiB")
    return ", ".join(parts)
