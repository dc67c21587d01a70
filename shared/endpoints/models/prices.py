"""What tokens cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import date
from typing import Final

from shared.value_class import value_class

MILLION: Final = 1e6
ALL_OF_IT: Final = "standard"
"""The tier that list prices are for."""


@value_class
class Price:
    """US dollars a million tokens, thinking counted as output.

    ``cached_usd`` is for input that the service had kept from before; where it is not known, such
    input costs like all other. ``read_on`` is when the price was looked up. ``shares`` are what is
    paid of it at other tiers than the standard one, by tier.
    """

    input_usd: float
    output_usd: float
    cached_usd: float | None = None
    read_on: date | None = None
    shares: Mapping[str, float] = field(default_factory=dict, compare=False)

    def at(self, tier: str) -> Price | None:
        """Return the price at ``tier``; ``None`` where it is not known.

        Input that the service had kept costs the same at every tier, if that is less.
        """
        if tier == ALL_OF_IT:
            return self
        share = self.shares.get(tier)
        if share is None:
            return None
        input_usd = self.input_usd * share
        cached_usd = None if self.cached_usd is None else min(self.cached_usd, input_usd)
        return replace(
            self,
            input_usd=input_usd,
            output_usd=self.output_usd * share,
            cached_usd=cached_usd,
            shares={},
        )

    def of(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Return US dollars; ``cached_tokens`` are those of the input that had been kept."""
        cached = min(cached_tokens, input_tokens) if self.cached_usd is not None else 0
        usd = (input_tokens - cached) * self.input_usd + output_tokens * self.output_usd
        return (usd + cached * (self.cached_usd or 0.0)) / MILLION

    def plain(self) -> dict[str, float | str | None]:
        """Return it as plain values."""
        return {
            "input_usd": self.input_usd,
            "output_usd": self.output_usd,
            "cached_usd": self.cached_usd,
            "read_on": None if self.read_on is None else self.read_on.isoformat(),
        }


NOTHING: Final = Price(0.0, 0.0)
"""What free keys pay."""
