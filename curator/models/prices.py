"""What tokens cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

MILLION: Final = 1e6


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a million tokens, thinking counted as output.

    ``cached_usd`` is for input that the service had kept from before; where it is not known, such
    input costs like all other. ``read_on`` is when the price was looked up.
    """

    input_usd: float
    output_usd: float
    cached_usd: float | None = None
    read_on: date | None = None

    def of(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Return US dollars; ``cached_tokens`` are those of the input that had been kept."""
        cached = min(cached_tokens, input_tokens) if self.cached_usd is not None else 0
        usd = (input_tokens - cached) * self.input_usd + output_tokens * self.output_usd
        return (usd + cached * (self.cached_usd or 0.0)) / MILLION

    def plain(self) -> dict[str, float | str | None]:
        """Return it as plain values."""
        return {**asdict(self), "read_on": self.read_on and self.read_on.isoformat()}
