"""What answers of an address took, from the journal: the same however often a run was stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.endpoints.journal import Asked
from evaluator.scoring.cost import THOUSAND, Cost, usd_of_hours
from shared.endpoints.models.prices import Price


@dataclass(frozen=True, slots=True)
class Prices:
    """What is known of prices: by the model, as given for tokens, as given for the machine's hour.

    What is given goes over what is known.
    """

    known: Callable[[str], Price | None]
    given: Price | None = None
    usd_per_hour: float | None = None

    def of(self, model: str) -> Price | None:
        """Return the price of a model's tokens."""
        return self.given or self.known(model)


def cost_of(journal: Sequence[Asked], prices: Prices) -> Cost | None:
    """Return what answers took; ``None`` where there is none.

    Tokens, money and time are those of the requests that brought a reply, and a thousand are a
    thousand of those; a question that stands in several rows is asked once. Tokens are ``None``
    where the server does not count those of every reply.
    """
    replies = [asked for asked in journal if asked.latency_s > 0]
    if not replies:
        return None
    each = THOUSAND / len(replies)
    seconds_k = busy_s((one.at - one.latency_s, one.at) for one in replies) * each
    median, slow = np.quantile([one.latency_s for one in replies], [0.5, 0.95]).tolist()
    counted = all(map(_is_counted, replies))
    usd_k, price = _money(replies, prices, seconds_k)
    return Cost(
        answers=len(replies),
        seconds_k=seconds_k,
        latency_s=(median, slow),
        requests_k=sum(one.requests for one in journal) * each,
        input_tokens_k=sum(one.input_tokens for one in replies) * each if counted else None,
        output_tokens_k=sum(one.output_tokens for one in replies) * each if counted else None,
        thought_tokens_k=sum(one.thought_tokens for one in replies) * each if counted else None,
        usd_k=usd_k,
        price=price,
        failures=dict(Counter(one.failure for one in journal if one.failure).most_common()),
        models=tuple(sorted({one.answered_by for one in replies if one.answered_by})),
    )


def _is_counted(asked: Asked) -> bool:
    return asked.input_tokens > 0 or asked.output_tokens > 0


def _money(replies: Sequence[Asked], prices: Prices, seconds_k: float) -> tuple[float | None, str]:
    """Return US dollars for a thousand replies, and by which price."""
    if prices.usd_per_hour is not None:
        hourly = prices.usd_per_hour
        return usd_of_hours(seconds_k, hourly), f"{hourly:g} US dollars an hour"
    priced = [(one, prices.of(one.model)) for one in replies]
    total = 0.0
    told = dict.fromkeys(_words(price) for _, price in priced if price is not None)
    for one, price in priced:
        if price is None or not _is_counted(one):
            return None, ""
        total += price.of(
            one.input_tokens, one.output_tokens + one.thought_tokens, one.cached_tokens
        )
    return total * THOUSAND / len(replies), "; ".join(told)


def _words(price: Price) -> str:
    read_on = "" if price.read_on is None else f", read on {price.read_on.isoformat()}"
    return f"{price.input_usd:g} US dollars a million tokens in, {price.output_usd:g} out{read_on}"


def busy_s(spans: Iterable[tuple[float, float]]) -> float:
    """Return the seconds that at least one of the spans covers.

    >>> busy_s([(0.0, 2.0), (1.0, 3.0), (10.0, 11.0)])
    4.0
    """
    covered, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered
