"""What a thousand answers take: tokens, money, time. All of it per request, none of it a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

THOUSAND: Final = 1_000
_SECONDS_AN_HOUR: Final = 3_600


@dataclass(frozen=True)
class Cost:
    """What ``answers`` answers took, for a thousand of them where ``_k`` says so.

    ``seconds_k`` is the time in which somebody answered, whatever stood still between, and
    ``latency_s`` how long one answer takes: median and 95th percentile. Tokens are as the server
    counts them, thinking apart. ``usd_k`` is US dollars, ``None`` where no price is known, and
    ``price`` says which price that is. ``requests_k`` counts those that came to nothing too, and
    ``failures`` how many questions got no answer, by the reason. ``models`` are those that the
    server says answered.
    """

    answers: int
    seconds_k: float
    latency_s: tuple[float, float] | None = None
    requests_k: float | None = None
    input_tokens_k: float | None = None
    output_tokens_k: float | None = None
    thought_tokens_k: float | None = None
    usd_k: float | None = None
    price: str = ""
    failures: Mapping[str, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as the scorecard's file has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Cost:
        """Return what ``to_json`` gave.

        Raises:
            TypeError: it is something else.
        """
        latency = value["latency_s"]
        return cls(
            **{
                **value,
                "latency_s": None if latency is None else (latency[0], latency[1]),
                "models": tuple(value["models"]),
            }
        )


def usd_of_hours(seconds_k: float, usd_per_hour: float) -> float:
    """Return what a thousand answers cost on machines that are paid by the hour."""
    return seconds_k / _SECONDS_AN_HOUR * usd_per_hour
