"""What tokens cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MILLION: Final = 1e6


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a million tokens."""

    input_usd: float
    output_usd: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return US dollars; thinking is paid for as output."""
        return (input_tokens * self.input_usd + output_tokens * self.output_usd) / MILLION
