"""Holds a campaign within its budget: a request that might pass it is not begun.

What was spent counts over the campaign's whole life, as the ledger has it. Requests under way count
at an upper estimate, those of batch jobs too, and so do those that were lost in a crash or never
got a whole answer, since they may have been billed. Until the first reply tells what requests take,
one is under way at a time, and where little is left of a budget, it may write no more than that;
batch jobs hold as many as have room if each writes all that it may.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final

from curator.campaign.results import tier_paid
from curator.ledger import (
    Answerers,
    Attempt,
    CampaignReport,
    TokenUse,
    tokens_of,
)
from curator.status.spending import cost_of, price_of, spendings
from shared.endpoints.models.budget_limit import BudgetLimit, amount_words
from shared.endpoints.models.known import KnownModel, ModelCatalogue
from shared.endpoints.models.prices import MILLION
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.refusals.refusal import Unanswered, Unavailable
from shared.endpoints.request import Measure
from shared.endpoints.token_estimates import TokenEstimates
from shared.errors import InputError, StoppedForNow
from shared.program.async_stopping import AsyncStopSignal
from shared.value_class import value_class

_NO_LIMIT: Final = nullcontext(None)
_EVERY_MODELS_LIMIT: Final = 8_192
"""Every model may write so many tokens: a larger limit than its own, a service would refuse."""


class BudgetSpent(StoppedForNow):
    """The next request might pass the budget."""


class UnknownPrice(BudgetSpent):
    """What replies cost is not known: until a person acts, no later run can keep the budget."""

    exit_code = InputError.exit_code


@value_class
class _Cost:
    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: _Cost) -> _Cost:
        return _Cost(self.tokens + other.tokens, self.usd + other.usd)

    def __sub__(self, other: _Cost) -> _Cost:
        return _Cost(self.tokens - other.tokens, self.usd - other.usd)


class Budget:
    """What a campaign has spent of its limits, and what is under way."""

    def __init__(
        self,
        limit: BudgetLimit,
        models: Sequence[KnownModel],
        known_models: ModelCatalogue,
        estimates: TokenEstimates,
        tier: Tier = Tier.STANDARD,
    ) -> None:
        """Let requests to ``models`` at ``tier`` begin within ``limit``; nothing is spent yet."""
        self._limit = limit
        self._models = models
        self._known_models = known_models
        self._estimates = estimates
        # What is asked at flex may be served, and paid, as standard.
        self._tier = Tier.STANDARD if tier is Tier.FLEX else tier
        self._spent = _Cost()
        self._held = _Cost()
        self._under_way = 0
        self._in_jobs: dict[int, _Cost] = {}
        self._lost = 0
        self._unpriced = ""
        self._changed = asyncio.Event()

    def count_before(
        self, report: CampaignReport, lost: Sequence[tuple[Tier, Measure]], largest: Measure
    ) -> None:
        """Count what the campaign spent before this run.

        What was ``lost`` counts as it did while it was under way; as the ``largest`` request where
        the ledger does not tell how large it was.

        Raises:
            InputError: what some of it cost is not known, and the limit is one of dollars.
        """
        for each in spendings(report, self._known_models):
            self._spent += self._cost(
                Answerers(each.asked, each.answered_by, each.tier), each.tokens
            )
        if self._unpriced and self._limit.usd is not None:
            raise InputError(f"--budget-usd: {self._no_price()}")
        for tier, measure in lost:
            at = Tier.BATCH if tier is Tier.BATCH else self._tier
            self._spent += self._upper(measure if measure.characters else largest, at)
        self._lost = len(lost)

    def spend(self, attempt: Attempt, reply: Reply) -> None:
        """Count what a reply to the request of ``attempt`` took."""
        if not self._limit.is_given:
            return
        answerers = Answerers(attempt.model, reply.model, tier_paid(attempt.tier, reply))
        self._spent += self._cost(answerers, tokens_of(reply))

    def failed(self, attempt: Attempt, refusal: Unavailable) -> None:
        """Count a request that got no whole answer, by what it may have cost."""
        if isinstance(refusal, Unanswered):
            self._spent += self._upper(attempt.measure)
            self._lost += 1

    def admitted(
        self, measure: Measure, stop: AsyncStopSignal
    ) -> AbstractAsyncContextManager[int | None]:
        """Wait until a request fits beside those under way, and hold its cost for the block.

        Yields how many tokens it may write at most; ``None`` for as many as it likes.

        Raises:
            BudgetSpent: it does not fit, and nothing is under way that may turn out cheaper.
            StopRequested: the run is to stop.
        """
        return self._held_for(measure, stop) if self._limit.is_given else _NO_LIMIT

    @asynccontextmanager
    async def _held_for(self, measure: Measure, stop: AsyncStopSignal) -> AsyncIterator[int | None]:
        while not self._fits(cost := self._upper(measure), measure):
            if not self._under_way or self._is_unpriced:
                raise self._spent_up(cost)
            self._changed.clear()
            await stop.wait(self._changed)
        most = self._most_output(measure)
        self._held += cost
        self._under_way += 1
        try:
            yield most
        finally:
            self._held -= cost
            self._under_way -= 1
            self._changed.set()

    def most_output_in_job(self, measure: Measure) -> int | None:
        """Return how many tokens a request of a batch job may write; ``None`` for all it likes.

        Many are sent before the first reply tells what they take, so each gets a limit.
        """
        if not self._limit.is_given or self._is_told(measure):
            return None
        estimates = self._estimates
        outputs = [estimates.upper_output_tokens(model, measure) for model in self._models]
        return self._most_output(measure, Tier.BATCH) or max(_EVERY_MODELS_LIMIT, *outputs)

    def _most_output(self, measure: Measure, tier: Tier | None = None) -> int | None:
        """Return how many tokens a request of a kind may write that no reply has told of yet."""
        if self._is_told(measure):
            return None
        taken, limit, rooms = self._spent + self._held, self._limit, []
        for model in self._models:
            input_tokens = self._estimates.input_tokens(model, measure)
            if limit.tokens is not None:
                rooms.append(limit.tokens - taken.tokens - input_tokens)
            price = price_of(Answerers(model.name, "", tier or self._tier), self._known_models)
            if limit.usd is not None and price is not None and price.output_usd:
                left_usd = limit.usd - taken.usd - price.of(input_tokens, 0)
                rooms.append(math.floor(left_usd * MILLION / price.output_usd))
        most = min(rooms, default=_EVERY_MODELS_LIMIT)
        return max(1, most) if most < _EVERY_MODELS_LIMIT else None

    def hold(self, attempt_id: int, measure: Measure) -> bool:
        """Hold the cost of a request of a batch job until it is released; false if it has no room.

        Raises:
            BudgetSpent: it does not fit, and nothing is under way that may turn out cheaper.
        """
        if not self._limit.is_given:
            return True
        is_first = not self._in_jobs and not self._under_way
        cost = self._upper(measure, Tier.BATCH) if is_first else self._upper_in_job(measure)
        if not self._is_unpriced and self._has_room(cost):
            self._hold(attempt_id, cost)
            return True
        if not self._in_jobs or self._is_unpriced:
            raise self._spent_up(cost)
        return False

    def hold_begun(self, attempt_id: int, measure: Measure) -> None:
        """Hold the cost of a request that a batch job of an earlier run made."""
        if self._limit.is_given:
            self._hold(attempt_id, self._upper_in_job(measure))

    def _hold(self, attempt_id: int, cost: _Cost) -> None:
        self._in_jobs[attempt_id] = cost
        self._held += cost

    def release(self, attempt_id: int) -> None:
        """Hold the cost of a request of a batch job no more."""
        if cost := self._in_jobs.pop(attempt_id, None):
            self._held -= cost

    @property
    def _is_unpriced(self) -> bool:
        return bool(self._unpriced) and self._limit.usd is not None

    def _fits(self, cost: _Cost, measure: Measure) -> bool:
        if self._is_unpriced:
            return False
        if (self._under_way or self._in_jobs) and not self._is_told(measure):
            return False
        return self._has_room(cost)

    def _is_told(self, measure: Measure) -> bool:
        """Return whether a reply has told what such requests take."""
        return any(self._estimates.knows(model, measure) for model in self._models)

    def _has_room(self, cost: _Cost) -> bool:
        after, limit = self._spent + self._held + cost, self._limit
        return (limit.tokens is None or after.tokens <= limit.tokens) and (
            limit.usd is None or after.usd <= limit.usd
        )

    def _upper_in_job(self, measure: Measure) -> _Cost:
        """Return what a request of a batch job takes at most: until that is told, by its limit."""
        told = self._is_told(measure)
        return self._upper(measure, Tier.BATCH, 0 if told else _EVERY_MODELS_LIMIT)

    def _upper(self, measure: Measure, tier: Tier | None = None, may_write: int = 0) -> _Cost:
        """Return what a request takes at most, whichever model answers it, at the run's tier.

        ``may_write`` are the output tokens that it is to be reckoned with at least.
        """
        estimates = self._estimates
        outputs = [estimates.upper_output_tokens(model, measure) for model in self._models]
        told = [
            output
            for model, output in zip(self._models, outputs, strict=True)
            if estimates.knows(model, measure)
        ]
        # Of a model that was not asked yet, the others tell more than the first guess.
        output = max(may_write, *(told or outputs))
        costs = [
            self._cost(
                Answerers(model.name, "", tier or self._tier),
                TokenUse(estimates.input_tokens(model, measure), output),
            )
            for model in self._models
        ]
        return _Cost(max(cost.tokens for cost in costs), max(cost.usd for cost in costs))

    def _cost(self, answerers: Answerers, tokens: TokenUse) -> _Cost:
        price = price_of(answerers, self._known_models)
        if price is None and tokens.total:
            self._unpriced = self._unpriced or answerers.answered_by or answerers.asked
        return _Cost(tokens.total, 0.0 if price is None else cost_of(tokens, price))

    def _no_price(self) -> str:
        return (
            f"{self._unpriced} answered requests of this campaign, and no price of it is known; "
            "give one with --models FILE, or take --budget-tokens"
        )

    def _spent_up(self, cost: _Cost) -> BudgetSpent:
        if self._is_unpriced:
            return UnknownPrice(f"--budget-usd: {self._no_price()}")
        spent, limit = self._spent, self._limit
        amounts, further, options = [], [], []
        if limit.usd is not None:
            amounts.append(f"{spent.usd:.4f} of {amount_words(limit.usd)} $")
            further.append(f"{cost.usd:.4f} $")
            options.append("--budget-usd")
        if limit.tokens is not None:
            amounts.append(f"{spent.tokens:,} of {limit.tokens:,} tokens")
            further.append(f"{cost.tokens:,} tokens")
            options.append("--budget-tokens")
        lost = f" ({self._lost} without an answer counted in)" if self._lost else ""
        return BudgetSpent(
            f"budget: {' and '.join(amounts)} spent{lost}, and the next request may take "
            f"{' and '.join(further)}; give a larger {' or '.join(options)} to go on"
        )
