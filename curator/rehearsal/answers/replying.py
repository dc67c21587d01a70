"""What the model says: the reply to a request that was let in, with or without a fault in it."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from curator.rehearsal.answers.answer_book import KnownImage
from curator.rehearsal.answers.reply_text import (
    NONSENSE,
    UNKNOWN,
    answer_text,
    fenced_text,
    numbered_text,
    reply_text,
    trailing_comma_text,
)
from curator.rehearsal.answers.several import Answers, about_all
from curator.rehearsal.answers.temper import STEADY, Temper
from curator.rehearsal.answers.verdicts import verdict_text
from curator.rehearsal.faults import Fault
from curator.rehearsal.inbound import Inquiry, ServiceTier, text_tokens
from curator.rehearsal.model_shelf import ModelShelf
from curator.rehearsal.words import replies
from curator.rehearsal.words.replies import WireReply
from shared.errors import CorruptImage
from shared.questions.answers import normalise
from shared.records import QAPair
from shared.value_class import value_class

_BAD_IMAGE: Final = "Unable to process input image. Please retry or report."


class Delivery(Enum):
    """How much of a reply reaches the client."""

    WHOLE = auto()
    SLOW = auto()
    CUT = auto()
    DROPPED = auto()


@value_class
class Ruling:
    """What will be sent, and under which name it is counted.

    ``answers`` is the inquiry that a usable answer is to. ``ends_key`` tells the client that the
    key will never work, ``day_over_until`` (seconds since the epoch) that the day's quota is used
    up. ``asked_tier`` is the service tier that was asked for, ``served_tier`` the one that answered
    and is paid, ``None`` where none did.
    """

    reply: WireReply
    outcome: str
    delivery: Delivery = Delivery.WHOLE
    answers: Inquiry | None = None
    ambiguous: bool = False
    ends_key: bool = False
    day_over_until: float | None = None
    asked_tier: ServiceTier = ServiceTier.STANDARD
    served_tier: ServiceTier | None = None


class Replier:
    """Answers as the models on a shelf do, by what is known or made up about an image."""

    def __init__(
        self,
        answers: Answers,
        shelf: ModelShelf,
        die: random.Random,
        tempers: Mapping[str, Temper],
    ) -> None:
        """Answer what is known, except for models with a temper, by name."""
        self._answers = answers
        self._shelf = shelf
        self._die = die
        self._tempers = tempers
        # Of its own, so that a model's whims change nothing else.
        self._temper_die = random.Random(die.random())

    async def reply(self, inquiry: Inquiry, model: str, fault: Fault | None, now: float) -> Ruling:
        """Return what ``model`` answers at ``now``, seconds since the epoch."""
        response_id = base64.urlsafe_b64encode(self._die.randbytes(15)).decode()
        named = _Named(self._shelf.answering(model, now), response_id, self._shelf.status(model))
        if (empty := named.without_pairs(inquiry, fault)) is not None:
            return Ruling(named.with_status(empty), str(fault), served_tier=inquiry.service_tier)
        try:
            resembled = await about_all(self._answers, inquiry)
        except CorruptImage:
            return malformed(_BAD_IMAGE)
        temper = self._tempers.get(named.model, STEADY)
        told = temper.told(resembled.pairs, self._shelf.asked(model), now, self._temper_die)
        ruling = _answered(inquiry, replace(resembled, pairs=told), fault, named)
        return replace(
            ruling, reply=named.with_status(ruling.reply), served_tier=inquiry.service_tier
        )


@value_class
class _Named:
    """What a reply calls itself and the model that made it, and what it tells of the one asked."""

    model: str
    response_id: str
    status: replies.Json

    def with_status(self, reply: WireReply) -> WireReply:
        return replace(reply, body=reply.body | self.status)

    def answer(self, inquiry: Inquiry, text: str) -> WireReply:
        return replies.answer(inquiry, text, model=self.model, response_id=self.response_id)

    def without_pairs(self, inquiry: Inquiry, fault: Fault | None) -> WireReply | None:
        """Return the success that holds no pairs which ``fault`` stands for, if it does."""
        match fault:
            case Fault.SAFETY | Fault.RECITATION:
                return replies.withheld_answer(
                    inquiry, fault.upper(), model=self.model, response_id=self.response_id
                )
            case Fault.BLOCKED_PROMPT:
                return replies.blocked_prompt(
                    inquiry, model=self.model, response_id=self.response_id
                )
            case Fault.NO_CANDIDATE:
                return replies.no_candidate(inquiry, model=self.model, response_id=self.response_id)
            case Fault.NONSENSE:
                return self.answer(inquiry, NONSENSE)
            case _:
                return None

    def cut_off(self, inquiry: Inquiry, text: str) -> WireReply:
        half = max(1, text_tokens(text) // 2)
        return replies.cut_off_answer(
            inquiry, text, half, model=self.model, response_id=self.response_id
        )


def malformed(message: str) -> Ruling:
    """Return the ruling on a request that cannot be read."""
    return Ruling(replies.bad_request(message), "malformed")


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
    if verdict := verdict_text(inquiry):
        return _delivered(inquiry, resembled, fault, named.answer(inquiry, verdict), "judged")
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


_DELIVERIES: Final[dict[Fault | None, Delivery]] = {
    Fault.SLOW: Delivery.SLOW,
    Fault.CUT_BODY: Delivery.CUT,
    Fault.DROPPED: Delivery.DROPPED,
}
