"""Decides what a request gets, in Google's order: key, model, body, quota.

Then come the script's faults, then the answer. Knows no HTTP beyond status codes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import field, replace
from http import HTTPStatus
from typing import Final

from curator.rehearsal.answers.replying import Replier, Ruling, malformed
from curator.rehearsal.faults import Fault, FaultPlan, FlexFate, FlexPlan
from curator.rehearsal.inbound import (
    Inquiry,
    MalformedRequest,
    ServiceTier,
    read_counted,
    read_inquiry,
)
from curator.rehearsal.key_ring import KeyRing, RehearsedKey, RehearsedKeyState
from curator.rehearsal.model_shelf import ModelShelf
from curator.rehearsal.quota_book import OverQuota, ProjectLimits, QuotaBook
from curator.rehearsal.words import replies
from curator.rehearsal.words.key_refusals import missing_key
from curator.rehearsal.words.replies import WireReply
from shared.program.clock import Clock
from shared.value_class import value_class

_DAY_DELAY_S: Final = (5.0, 60.0)


@value_class
class Asked:
    """A request for content: the body as it came, and what the address says besides.

    ``region`` is a location of Google Cloud, which has quotas of its own. ``tier`` is the service
    tier that a header asks for.
    """

    model: str
    body: bytes = field(repr=False)
    version: str = "v1beta"
    region: str = ""
    tier: ServiceTier | None = None

    @property
    def metered_as(self) -> str:
        """What quotas are counted for."""
        return f"{self.model} in {self.region}" if self.region else self.model


class Judge:
    """Holds keys, quotas, faults and answers, and passes rulings."""

    def __init__(
        self,
        *,
        replier: Replier,
        keys: KeyRing,
        shelf: ModelShelf,
        quotas: QuotaBook,
        faults: FaultPlan[Fault],
        flex: FlexPlan,
        die: random.Random,
        clock: Clock,
    ) -> None:
        """Let ``replier`` answer what is let in, for the models on ``shelf``."""
        self._replier = replier
        self._keys = keys
        self._shelf = shelf
        self._quotas = quotas
        self._faults = faults
        self._flex = flex
        self._die = die
        self._clock = clock

    def key(self, api_key: str) -> RehearsedKey:
        """Return the key with this secret, or what an unlisted one is taken for."""
        return self._keys.key(api_key)

    def token(self, text: str, project: str, location: str) -> RehearsedKey:
        """Return what an access token that comes for a project in a location is taken for."""
        return self._keys.token(text, project, location)

    def token_of(self, project: str, requests: Callable[[str], int]) -> RehearsedKey | None:
        """Return the first access token of a project that has not expired; ``None`` without one.

        ``requests`` tells how many a token has sent, by its label.
        """
        return self._keys.token_of(project, requests)

    def limits(self, key: RehearsedKey, model: str) -> ProjectLimits:
        """Return the limits of a model in the project of ``key``."""
        return self._keys.limits(key, model)

    async def judge(self, key: RehearsedKey, earlier: int, asked: Asked) -> Ruling:
        """Return what a request gets whose key had sent ``earlier`` requests before it."""
        model = asked.model
        refused = self.refusal(key, earlier, version=asked.version, model=model)
        if refused is not None:
            return refused
        try:
            inquiry = read_inquiry(asked.body)
        except MalformedRequest as error:
            return malformed(str(error))
        if asked.tier is not None:
            inquiry = replace(inquiry, service_tier=asked.tier)
        understood = self.understood(inquiry, model)
        if isinstance(understood, Ruling):
            return understood
        limits = self._keys.limits(key, model)
        now = self._clock.now()
        tokens = understood.prompt_tokens
        over = self._quotas.admit(key.project, asked.metered_as, limits, tokens, now)
        if over is not None:
            return self._over_quota(over, model, limits.tier, now)
        self._shelf.count(model)
        ruling = await self._admitted(understood, model)
        return replace(ruling, asked_tier=understood.service_tier)

    def counted(self, key: RehearsedKey, earlier: int, asked: Asked) -> Inquiry | Ruling:
        """Return a request with the tokens that its model counts, which costs no quota."""
        refused = self.refusal(key, earlier, version=asked.version, model=asked.model)
        if refused is not None:
            return refused
        try:
            return self.understood(read_counted(asked.body), asked.model)
        except MalformedRequest as error:
            return malformed(str(error))

    def refusal(
        self, key: RehearsedKey, earlier: int, *, version: str, model: str
    ) -> Ruling | None:
        """Return what a key is told that has nothing to ask of a model; ``None`` where it has."""
        refused = self._refused_key(key, earlier, model)
        return refused or self._refused_model(key, version, model)

    def understood(self, inquiry: Inquiry, model: str) -> Inquiry | Ruling:
        """Return a request with the tokens that the model counts, or what it refuses of it."""
        refused_form = self._shelf.form_refusal(model, inquiry)
        refused_form = refused_form or self._shelf.tier_refusal(model, inquiry.service_tier)
        if refused_form is not None:
            return Ruling(refused_form, "form_not_taken")
        counting = self._shelf.counting(model)
        if refused_setting := counting.refused_setting(inquiry):
            return Ruling(replies.refused_thinking(model, refused_setting), "malformed")
        return counting.counted(inquiry)

    def caller_refusal(self, key: RehearsedKey, earlier: int) -> Ruling | None:
        """Return what a key is told that may not even look; ``None`` where it may."""
        if key.state_after(earlier) in (RehearsedKeyState.UNPAID, RehearsedKeyState.CLOSED):
            return None
        return self._refused_key(key, earlier, "")

    def look_up(self, key: RehearsedKey, earlier: int, *, version: str, model: str) -> WireReply:
        """Return what ``GET models/NAME`` tells; it costs neither quota nor credit."""
        is_unpaid = key.state_after(earlier) is RehearsedKeyState.UNPAID
        refused = None if is_unpaid else self._refused_key(key, earlier, model)
        refused = refused or self._refused_model(key, version, model)
        return self._shelf.resource(model) if refused is None else refused.reply

    def _refused_key(self, key: RehearsedKey, earlier: int, model: str) -> Ruling | None:
        if not key.api_key:
            return Ruling(missing_key(), "missing_key")
        state = key.state_after(earlier)
        if state is RehearsedKeyState.VALID:
            return None
        return Ruling(key.refusal(state, model), f"{state}_key", ends_key=True)

    def _refused_model(self, key: RehearsedKey, version: str, model: str) -> Ruling | None:
        now = self._clock.now()
        refusal = self._shelf.refusal(model, key.project, version=version, now=now)
        return None if refusal is None else Ruling(refusal, "unknown_model")

    def _over_quota(self, over: OverQuota, model: str, tier: replies.Tier, now: float) -> Ruling:
        # Google's delay in a day's refusal is short and means nothing; so is this one.
        delay_s = self._die.uniform(*_DAY_DELAY_S) if over.of_the_day else over.fits_in_s
        reply = replies.over_quota(
            over.violations, model=model, tier=tier, retry_after_s=round(delay_s, 6)
        )
        self._die.shuffle(reply.body["error"]["details"])
        if over.of_the_day:
            return Ruling(reply, "day_quota", day_over_until=self._quotas.day_end(now))
        return Ruling(reply, "minute_quota")

    async def _admitted(self, inquiry: Inquiry, model: str) -> Ruling:
        if inquiry.service_tier is ServiceTier.FLEX:
            fate = self._flex.next()
            if fate is FlexFate.SHED:
                return Ruling(self._flex.refusal(), "shed")
            if fate is FlexFate.DOWNGRADED:
                inquiry = replace(inquiry, service_tier=ServiceTier.STANDARD)
        fault = self._faults.next()
        if fault is not None and fault in _REFUSALS:
            return Ruling(_REFUSALS[fault](), fault)
        return await self._replier.reply(inquiry, model, fault, self._clock.now())


_REFUSALS: Final[dict[Fault, Callable[[], WireReply]]] = {
    Fault.EXHAUSTED: replies.exhausted,
    Fault.QUOTA_UNSAID: replies.over_unsaid_quota,
    Fault.NO_CAPACITY: replies.no_capacity,
    Fault.NO_CAPACITY_503: lambda: replies.no_capacity(HTTPStatus.SERVICE_UNAVAILABLE),
    Fault.INTERNAL: replies.internal_error,
    Fault.OVERLOADED: replies.overloaded,
    Fault.DEADLINE: replies.deadline_exceeded,
    Fault.REGION: replies.unserved_region,
    Fault.BAD_REQUEST: lambda: replies.bad_request("Request contains an invalid argument."),
}
