"""What a campaign's requests cost, by the models that were asked for and that answered; pure."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Final

from curator.ledger import Answerers, CampaignReport, Outcome, TokenUse
from shared.endpoints.models.known import ModelCatalogue
from shared.endpoints.models.model_status import is_another_model
from shared.endpoints.models.prices import Price
from shared.endpoints.models.tier import Tier
from shared.value_class import value_class

_COUNTED: Final = (Outcome.ANSWERED.value, Outcome.UNUSABLE.value)
"""What becomes of requests that the service counted tokens for."""


@value_class
class Spending:
    """The tokens of one model's replies and what they cost, ``usd`` in US dollars by list price.

    ``usd`` is ``None`` where no price is known. Requests that another model answered than was
    ``asked`` are billed at its rates; ``price`` is that of the tier.
    """

    asked: str
    answered_by: str
    tier: Tier
    tokens: TokenUse
    price: Price | None

    @property
    def usd(self) -> float | None:
        """What it costs by list price; ``None`` where no price is known."""
        return None if self.price is None else cost_of(self.tokens, self.price)


def cost_of(tokens: TokenUse, price: Price) -> float:
    """Return what ``tokens`` cost, in US dollars; thoughts are paid for as output."""
    return price.of(tokens.input, tokens.output + tokens.thoughts, tokens.cached)


def price_of(answerers: Answerers, known_models: ModelCatalogue) -> Price | None:
    """Return the price of a reply to a request for one model that may be another's."""
    asked, answered_by, tier = answerers
    billed = answered_by if is_another_model(asked, answered_by) else asked
    price = known_models.known(billed).price
    return price and price.at(tier)


def spendings(report: CampaignReport, known_models: ModelCatalogue) -> list[Spending]:
    """Return what replies cost, by the model asked for, the one that answered, and the tier."""
    return [
        Spending(*answerers, tokens, price_of(answerers, known_models))
        for answerers, tokens in sorted(report.tokens_spent.items())
    ]


def cost_usd(report: CampaignReport, known_models: ModelCatalogue) -> float | None:
    """Return what all tokens cost by list price, in US dollars; ``None`` if one is not known."""
    spent = spendings(report, known_models)
    if not spent:
        asked = report.campaign.model_names
        return None if any(known_models.known(name).price is None for name in asked) else 0.0
    costs = [each.usd for each in spent]
    return None if None in costs else sum(usd for usd in costs if usd is not None)


def spending_object(report: CampaignReport, known_models: ModelCatalogue) -> list[dict[str, Any]]:
    """Return the same as plain values, with the prices and when they were looked up."""
    return [
        {
            "asked": each.asked,
            "answered_by": each.answered_by,
            "is_another": is_another_model(each.asked, each.answered_by),
            "tier": each.tier.value,
            "tokens": asdict(each.tokens),
            "usd": each.usd,
            "price": each.price and each.price.plain(),
        }
        for each in spendings(report, known_models)
    ]


def affordable_requests(report: CampaignReport, known_models: ModelCatalogue) -> int | None:
    """Return how many further requests the budget allows; ``None`` where there is no telling.

    Each is taken to cost what those did that were counted so far.
    """
    budget = report.campaign.budget
    requests = sum(report.outcomes.get(name, 0) for name in _COUNTED)
    spent, usd = report.tokens.total, cost_usd(report, known_models)
    if not requests or not spent:
        return None
    allowed = []
    if budget.tokens is not None:
        allowed.append((budget.tokens - spent) * requests / spent)
    if budget.usd is not None and usd:
        allowed.append((budget.usd - usd) * requests / usd)
    return max(0, math.floor(min(allowed))) if allowed else None


def budget_object(report: CampaignReport, known_models: ModelCatalogue) -> dict[str, Any] | None:
    """Return the budget of the latest run, and what of it is spent; ``None`` without one."""
    budget = report.campaign.budget
    if not budget.is_given:
        return None
    spent = {"spent_usd": cost_usd(report, known_models), "spent_tokens": report.tokens.total}
    return {**asdict(budget), **spent}
