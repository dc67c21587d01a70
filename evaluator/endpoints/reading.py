"""What a reply says: the answer, cleaned as local models' are, or why it is none. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from shared.endpoints.protocols.annotator import FINISHED, PROMPT_BLOCKED, Reply
from shared.vqa.inputs.cleaning import cleaned

_CUT_OFF: Final = "MAX_TOKENS"


@dataclass(frozen=True, slots=True)
class Answer:
    """A text with its probability, ``None`` where nobody told; or the reason why there is none."""

    text: str
    confidence: float | None = None
    failure: str = ""


def answer_of(reply: Reply) -> Answer:
    """Return what a reply says.

    One that was cut off is taken as far as it goes, as with local models; one that was cut off
    before its first word is none.
    """
    text = cleaned(reply.text)
    if not text and reply.ending != FINISHED:
        return Answer("", failure=_why_none(reply))
    sure = None if reply.log_probability is None else math.exp(reply.log_probability)
    return Answer(text, sure)


def _why_none(reply: Reply) -> str:
    if reply.ending == _CUT_OFF:
        return "cut off before the answer; raise --max-new-tokens, or lower --thinking"
    if reply.ending.startswith(PROMPT_BLOCKED):
        return f"the question was blocked ({reply.ending.removeprefix(PROMPT_BLOCKED)})"
    return f"a reply without an answer ({reply.ending or 'no choices'})"
