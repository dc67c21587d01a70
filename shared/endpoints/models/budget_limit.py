"""What a campaign may cost at most."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.endpoints.models.known import KnownModel
from shared.endpoints.models.tier import Tier
from shared.errors import InputError
from shared.value_class import value_class


@value_class
class BudgetLimit:
    """US dollars by list price, and tokens in and out, over a campaign's whole life."""

    usd: float | None = None
    tokens: int | None = None

    @property
    def is_given(self) -> bool:
        """Whether there is any."""
        return self.usd is not None or self.tokens is not None


def amount_words(usd: float) -> str:
    """Return an amount of US dollars as it was given: 0.00001, 5 or 1,250,000."""
    return f"{usd:,.8f}".rstrip("0").rstrip(".") or "0"


NO_LIMIT: Final = BudgetLimit()


def require_sensible(
    limit: BudgetLimit, models: Iterable[KnownModel], tier: Tier = Tier.STANDARD
) -> None:
    """Check that a budget can be kept by requests to ``models`` at ``tier``.

    Raises:
        InputError: it is one of nothing, or in dollars for a model without a price.
    """
    if limit.usd is not None and not 0 < limit.usd < float("inf"):
        raise InputError(f"--budget-usd {limit.usd:g}: give an amount of more than 0")
    if limit.tokens is not None and limit.tokens <= 0:
        raise InputError(f"--budget-tokens {limit.tokens}: give a number of more than 0")
    unpriced = [
        model.name for model in models if model.price is None or model.price.at(tier) is None
    ]
    if limit.usd is not None and unpriced:
        at_tier = "" if tier is Tier.STANDARD else f" at --tier {tier}"
        raise InputError(
            f"--budget-usd: no price of {', '.join(unpriced)}{at_tier} is known; "
            "give one with --models FILE, or take --budget-tokens"
        )
