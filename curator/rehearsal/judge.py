"""Decides what a request gets, in Google's order: key, model, body, quota.

Then come the script's faults, then the answer. Knows no HTTP beyond status codes.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from curator.rehearsal import wire
from curator.rehearsal.answers.answer_book import AnswerBook, KnownImage
from curator.rehearsal.answers.reply_text import (
    NONSENSE,
    UNKNOWN,
    answer_text,
    fenced_text,
    numbered_text,
    reply_text,
    trailing_comma_text,
)
from curator.rehearsal.faults import Fault, FaultPlan
from curator.rehearsal.inbound import Inquiry, MalformedRequest, read_inquiry, text_tokens
from curator.rehearsal.key_ring import KeyRing, RehearsedKey, RehearsedKeyState
from curator.rehearsal.model_shelf import ModelShelf
from curator.rehearsal.quota_book import OverQuota, QuotaBook
from curator.rehearsal.wire import WireReply
from shared.errors import CorruptImage
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.questions.answers import normalise
from shared.records import QAPair

_DAY_DELAY_S: Final = (5.0, 60.0)
_BAD_IMAGE: Final = "Unable to process input image. Please retry or report."
_UNKNOWN_IMAGE: Final = KnownImage(filename="", pairs=())
log = EventLog(__name__)


class Delivery(Enum):
    """How much of a reply reaches the client."""

    WHOLE = auto()
    SLOW = auto()
    CUT = auto()
    DROPPED = auto()


@dataclass(frozen=True, slots=True)
class Ruling:
    """What will be sent, and under which name it is counted.

    ``answers`` is the inquiry that a usable answer is to. ``ends_key`` tells the client that the
    key will never work, ``day_over_until`` (seconds since the epoch) that the day's quota is used
    up.
    """

    reply: WireReply
    outcome: str
    delivery: Delivery = Delivery.WHOLE
    answers: Inquiry | None = None
    ambiguous: bool = False
    ends_key: bool = False
    day_over_until: float | None = None


class Judge:
    """Holds keys, quotas, faults and answers, and passes rulings."""

    def __init__(
        self,
        *,
        answers: AnswerBook,
        keys: KeyRing,
        shelf: ModelShelf,
        quotas: QuotaBook,
        faults: FaultPlan,
        die: random.Random,
        clock: Clock,
    ) -> None:
        """Answer from ``answers``, for the models on ``shelf``."""
        self._answers = answers
        self._keys = keys
        self._shelf = shelf
        self._quotas = quotas
        self._faults = faults
        self._die = die
        self._clock = clock

    def key(self, api_key: str) -> RehearsedKey:
        """Return the key with this secret, or what an unlisted one is taken for."""
        return self._keys.key(api_key)

    async def judge(
        self, key: RehearsedKey, earlier: int, *, version: str, model: str, body: bytes
    ) -> Ruling:
        """Return what a request gets whose key had sent ``earlier`` requests before it."""
        refused = self._refused_key(key, earlier, model)
        refused = refused or self._refused_model(key, version, model)
        if refused is not None:
            return refused
        try:
            inquiry = read_inquiry(body)
        except MalformedRequest as error:
            return malformed(str(error))
        if (refusal := self._shelf.form_refusal(model, inquiry)) is not None:
            return Ruling(refusal, "form_not_taken")
        counting = self._shelf.counting(model)
        if refused_setting := counting.refused_setting(inquiry):
            return Ruling(wire.refused_thinking(model, refused_setting), "malformed")
        inquiry = counting.counted(inquiry)
        limits = self._keys.limits(key)
        now = self._clock.now()
        over = self._quotas.admit(key.project, model, limits, inquiry.prompt_tokens, now)
        if over is not None:
            return self._over_quota(over, model, limits.tier, now)
        self._shelf.count(model)
        return await self._admitted(inquiry, model)

    def look_up(self, key: RehearsedKey, earlier: int, *, version: str, model: str) -> WireReply:
        """Return what ``GET models/NAME`` tells; it costs neither quota nor credit."""
        is_unpaid = key.state_after(earlier) is RehearsedKeyState.UNPAID
        refused = None if is_unpaid else self._refused_key(key, earlier, model)
        refused = refused or self._refused_model(key, version, model)
        return self._shelf.resource(model) if refused is None else refused.reply

    def _refused_key(self, key: RehearsedKey, earlier: int, model: str) -> Ruling | None:
        if not key.api_key:
            return Ruling(wire.missing_key(), "missing_key")
        state = key.state_after(earlier)
        if state is RehearsedKeyState.VALID:
            return None
        return Ruling(key.refusal(state, model), f"{state}_key", ends_key=True)

    def _refused_model(self, key: RehearsedKey, version: str, model: str) -> Ruling | None:
        now = self._clock.now()
        refusal = self._shelf.refusal(model, key.project, version=version, now=now)
        return None if refusal is None else Ruling(refusal, "unknown_model")

    def _over_quota(self, over: OverQuota, model: str, tier: wire.Tier, now: float) -> Ruling:
        # Google's delay in a day's refusal is short and means nothing; so is this one.
        delay_s = self._die.uniform(*_DAY_DELAY_S) if over.of_the_day else over.fits_in_s
        reply = wire.over_quota(
            over.violations, model=model, tier=tier, retry_after_s=round(delay_s, 6)
        )
        self._die.shuffle(reply.body["error"]["details"])
        if over.of_the_day:
            return Ruling(reply, "day_quota", day_over_until=self._quotas.day_end(now))
        return Ruling(reply, "minute_quota")

    async def _admitted(self, inquiry: Inquiry, model: str) -> Ruling:
        fault = self._faults.next()
        if fault is not None and fault in _REFUSALS:
            return Ruling(_REFUSALS[fault](), fault)
        answering = self._shelf.answering(model, self._clock.now())
        response_id = base64.urlsafe_b64encode(self._die.randbytes(15)).decode()
        named = _Named(answering, response_id, self._shelf.status(model))
        if (empty := named.without_pairs(inquiry, fault)) is not None:
            return Ruling(named.with_status(empty), str(fault))
        try:
            resembled = await self._known_image(inquiry)
        except CorruptImage:
            return malformed(_BAD_IMAGE)
        ruling = _answered(inquiry, resembled, fault, named)
        return replace(ruling, reply=named.with_status(ruling.reply))

    async def _known_image(self, inquiry: Inquiry) -> KnownImage:
        if not inquiry.images:
            return _UNKNOWN_IMAGE
        image = inquiry.images[0]
        resembled = self._answers.same_file(image)
        if resembled is None:
            resembled = await asyncio.to_thread(self._answers.lookalike, image)
        if resembled is None:
            return _UNKNOWN_IMAGE
        if resembled.rivals:
            log.info(
                "rehearsal_ambiguous_image",
                taken_for=resembled.filename,
                as_well=", ".join(resembled.rivals),
            )
        return resembled


@dataclass(frozen=True, slots=True)
class _Named:
    """What a reply calls itself and the model that made it, and what it tells of the one asked."""

    model: str
    response_id: str
    status: wire.Json

    def with_status(self, reply: WireReply) -> WireReply:
        return replace(reply, body=reply.body | self.status)

    def answer(self, inquiry: Inquiry, text: str) -> WireReply:
        return wire.answer(inquiry, text, model=self.model, response_id=self.response_id)

    def without_pairs(self, inquiry: Inquiry, fault: Fault | None) -> WireReply | None:
        """Return the success that holds no pairs which ``fault`` stands for, if it does."""
        match fault:
            case Fault.SAFETY | Fault.RECITATION:
                return wire.withheld_answer(
                    inquiry, fault.upper(), model=self.model, response_id=self.response_id
                )
            case Fault.BLOCKED_PROMPT:
                return wire.blocked_prompt(inquiry, model=self.model, response_id=self.response_id)
            case Fault.NO_CANDIDATE:
                return wire.no_candidate(inquiry, model=self.model, response_id=self.response_id)
            case Fault.NONSENSE:
                return self.answer(inquiry, NONSENSE)
            case _:
                return None

    def cut_off(self, inquiry: Inquiry, text: str) -> WireReply:
        half = max(1, text_tokens(text) // 2)
        return wire.cut_off_answer(
            inquiry, text, half, model=self.model, response_id=self.response_id
        )


def malformed(message: str) -> Ruling:
    """Return the ruling on a request that cannot be read."""
    return Ruling(wire.bad_request(message), "malformed")


def _answer_to(question: str, pairs: Sequence[QAPair], fault: Fault | None) -> str:
    """Return the known answer to ``question``, or with the fault another one that is known."""
    answer_to = {normalise(pair.question): pair.answer for pair in pairs}
    answer = answer_to.get(normalise(question), UNKNOWN)
    if fault is not Fault.WRONG_ANSWER:
        return answer
    return next((other for other in answer_to.values() if other != answer), UNKNOWN)


def _answered(
    inquiry: Inquiry, resembled: KnownImage, fault: Fault | None, named: _Named
) -> Ruling:
    if inquiry.single_question:
        answer = _answer_to(inquiry.single_question, resembled.pairs, fault)
        text = answer_text(inquiry, answer)
        return _delivered(
            inquiry, resembled, fault, named.answer(inquiry, text), "question_answered"
        )
    if fault is Fault.WRONG_ANSWER:
        fault = None
    match fault:
        case Fault.FENCED:
            text = fenced_text(inquiry, resembled.pairs)
        case Fault.NUMBERED:
            text = numbered_text(inquiry, resembled.pairs)
        case Fault.TRAILING_COMMA:
            text = trailing_comma_text(inquiry, resembled.pairs)
        case Fault.WRONG_COUNT:
            text = reply_text(inquiry, resembled.pairs[: inquiry.questions][:-1])
        case _:
            text = reply_text(inquiry, resembled.pairs)
    if fault is Fault.MAX_TOKENS:
        return Ruling(named.cut_off(inquiry, text), fault)
    plain = "answered" if resembled.pairs else "unknown_image" if inquiry.images else "no_image"
    return _delivered(inquiry, resembled, fault, named.answer(inquiry, text), plain)


def _delivered(
    inquiry: Inquiry, resembled: KnownImage, fault: Fault | None, reply: WireReply, plain: str
) -> Ruling:
    delivery = _DELIVERIES.get(fault, Delivery.WHOLE)
    whole = delivery in (Delivery.WHOLE, Delivery.SLOW)
    return Ruling(
        reply,
        fault or plain,
        delivery,
        answers=inquiry if whole else None,
        ambiguous=bool(resembled.rivals),
    )


_REFUSALS: Final[dict[Fault, Callable[[], WireReply]]] = {
    Fault.EXHAUSTED: wire.exhausted,
    Fault.NO_CAPACITY: wire.no_capacity,
    Fault.INTERNAL: wire.internal_error,
    Fault.OVERLOADED: wire.overloaded,
    Fault.DEADLINE: wire.deadline_exceeded,
    Fault.REGION: wire.unserved_region,
    Fault.BAD_REQUEST: lambda: wire.bad_request("Request contains an invalid argument."),
}
_DELIVERIES: Final[dict[Fault | None, Delivery]] = {
    Fault.SLOW: Delivery.SLOW,
    Fault.CUT_BODY: Delivery.CUT,
    Fault.DROPPED: Delivery.DROPPED,
}
