"""Whatever happens to a ledger, in whatever order, its tallies are what counting the rows gives."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from curator.judging.facts import Form, ReplyFacts
from curator.judging.rules import Verdict, validate
from curator.ledger import (
    Attempt,
    ItemChange,
    Ledger,
    OpinionChange,
    Outcome,
    Result,
    TokenUse,
    WorkState,
)
from shared.endpoints.models.model_status import ModelStatus
from shared.endpoints.models.tier import Tier
from tests.curator.ledger.ledgers import DRAFTS, enrolled, fresh_ledger, tallied

ITEMS = 30
STEPS = 40
MODELS = ("gemini-x", "gemini-y")
FAILURES = (Outcome.UNAVAILABLE, Outcome.UNANSWERED, Outcome.RATE_LIMITED, Outcome.SHED)


class Campaign:
    """What a run, its end at any moment, and whoever works on its ledger afterwards do to it."""

    def __init__(self, ledger: Ledger, campaign_id: int, chance: random.Random) -> None:
        self.ledger, self._id, self._chance = ledger, campaign_id, chance
        self._begun: list[Attempt] = []
        self._waiting = list(range(1, ITEMS + 1))
        self._dead: list[int] = []
        self._done: dict[int, int] = {}  # the requests that answered, by item
        self._now = 10.0

    async def any_step(self) -> None:
        steps = [self.begins] * 5 + [self.ends] * 6
        steps += [self.withdraws, self.chooses, self.asks_again, self.returns, self.judges_again]
        await self._chance.choice(steps)()

    async def begins(self) -> None:
        number, at = self.ledger.new_attempt_id(), self._tick()
        model, question = self._chance.choice(MODELS), None
        if self._done and self._chance.random() < 0.3:
            item, question = self._chance.choice(list(self._done)), DRAFTS[0].question
        elif self._waiting:
            item = self._waiting.pop()
        else:
            return
        begun = Attempt(number, self._id, item, "fp", "p", model, at, 100, question=question)
        await self.ledger.begin(begun)
        self._begun.append(begun)

    async def ends(self) -> None:
        """End a request well, badly, or after a process that is no more began it."""
        if not self._begun:
            return
        begun = self._begun.pop(self._chance.randrange(len(self._begun)))
        if begun.question is None:
            await self.ledger.finish(self._ending(begun, self._verdict()))
        else:
            await self.ledger.finish(self._opinion(begun))

    async def withdraws(self) -> None:
        if self._begun:
            begun = self._begun.pop()
            await self.ledger.withdraw(begun)
            if begun.question is None:
                self._waiting.append(begun.item_id)

    async def chooses(self) -> None:
        await self.ledger.choose_pairs(self._id, self._chance.choice((0.0, 0.5, 1.0)))

    async def asks_again(self) -> None:
        for pair in await self.ledger.waiting_pairs(self._id, (0, ""), 2):
            state = self._chance.choice((WorkState.DONE, WorkState.PENDING, WorkState.DEAD))
            agrees = state is WorkState.DONE and self._chance.random() < 0.5
            change = OpinionChange(self._id, pair.item_id, pair.question, state, 1, agrees=agrees)
            await self.ledger.finish(Result(None, self._tick(), Outcome.ANSWERED, change=change))

    async def returns(self) -> None:
        assert await self.ledger.retry_dead(self._id) >= len(self._dead)
        self._waiting += self._dead
        self._dead.clear()

    async def judges_again(self) -> None:
        if not self._done:
            return
        item, answer = self._chance.choice(list(self._done.items()))
        change = ItemChange(self._id, item, WorkState.DONE, 0)
        at, verdict = self._tick(), self._verdict()
        again = Result(answer, at, Outcome.ANSWERED, change=change, verdict=verdict)
        await self.ledger.replace_pairs([again])

    def _tick(self) -> float:
        self._now += 1
        return self._now

    def _verdict(self) -> Verdict:
        drafts = self._chance.sample(DRAFTS, self._chance.randint(0, len(DRAFTS)))
        return validate(drafts, answer_words=1)

    def _ending(self, begun: Attempt, verdict: Verdict) -> Result:
        at, item = self._tick(), begun.item_id
        if self._chance.random() < 0.3:
            state = self._chance.choice((WorkState.PENDING, WorkState.DEAD))
            (self._dead if state is WorkState.DEAD else self._waiting).append(item)
            change = ItemChange(self._id, item, state, 1, "no answer")
            return Result(begun.attempt_id, at, self._chance.choice(FAILURES), change=change)
        self._done[item] = begun.attempt_id
        is_useful = bool(verdict.accepted)
        drafts = len(verdict.accepted) + len(verdict.rejected)
        rejection = "" if is_useful else "no_valid_pair"
        return Result(
            begun.attempt_id,
            at,
            Outcome.ANSWERED if is_useful else Outcome.UNUSABLE,
            tokens=TokenUse(self._chance.randint(0, 90), 40, 3, cached=20, images=60),
            reply='{"raw": "reply"}',
            change=ItemChange(self._id, item, WorkState.DONE, 0),
            verdict=verdict,
            facts=ReplyFacts(
                "STOP", self._chance.choice((Form.JSON, Form.LIST)), drafts, rejection
            ),
            model_version=self._chance.choice(("", "gemini-x-001")),
            model_status=ModelStatus("STABLE", self._chance.choice((None, 99.0))),
            started_at=self._chance.choice((None, at - 0.5)),
            tier=self._chance.choice((Tier.STANDARD, Tier.FLEX)),
        )

    def _opinion(self, begun: Attempt) -> Result:
        change = OpinionChange(
            self._id, begun.item_id, begun.question or "", WorkState.DONE, 0, "", "red", agrees=True
        )
        tokens = TokenUse(50, 5)
        return Result(
            begun.attempt_id, self._tick(), Outcome.ANSWERED, "", tokens, "{}", change=change
        )


class Killed(Exception):
    """Stands for the end of a process between two writes."""


@pytest.mark.parametrize("seed", range(4))
async def test_tallies_are_what_counting_gives_after_any_mix_of_changes(tmp_path: Path, seed: int):
    path, chance = fresh_ledger(tmp_path / "l.db"), random.Random(seed)
    campaign = None
    for _ in range(3):
        with suppress(Killed):
            async with Ledger.opened(path) as ledger:
                if campaign is None:
                    campaign = Campaign(ledger, await enrolled(ledger, ITEMS), chance)
                campaign.ledger = ledger
                for _ in range(STEPS):
                    await campaign.any_step()
                tallied(path)
                raise Killed
        held = tallied(path)
    assert all(held[2:])
