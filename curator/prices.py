"""What tokens cost; list prices, for keys that pay."""

from __future__ import annotations

from collections.abc import Mapping
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


PRICES: Final[Mapping[str, Price]] = {
    "gemini-2.5-pro": Price(1.25, 10.0),
    "gemini-2.5-flash": Price(0.30, 2.50),
    "gemini-2.5-flash-lite": Price(0.10, 0.40),
}
"""List prices of late 2025, for keys that pay; free keys pay nothing."""
