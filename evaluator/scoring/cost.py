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

    def note(self, what: str) -> str:
        """Return in words what a thousand of ``what`` take."""
        parts = [] if self.usd_k is None else [f"{self.usd_k:.4g} US dollars ({self.price})"]
        parts.append(f"{self.seconds_k:,.1f} s")
        if self.input_tokens_k is not None and self.output_tokens_k is not None:
            out = self.output_tokens_k + (self.thought_tokens_k or 0)
            parts.append(f"{self.input_tokens_k:,.0f} tokens in, {out:,.0f} out")
        if self.latency_s is not None:
            median, slow = self.latency_s
            parts.append(f"{median:.2f} s each (95 % below {slow:.2f} s)")
        return f"1,000 {what} take {'; '.join(parts)}"

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
