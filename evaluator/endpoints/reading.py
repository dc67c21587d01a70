"""What a reply says: the answer, cleaned as local models' are, or why it is none. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from shared.endpoints.protocols.annotator import FINISHED, PROMPT_BLOCKED, Reply
from shared.questions.cleaning import cleaned

_CUT_OFF: Final = "MAX_TOKENS"


@dataclass(frozen=True, slots=True)
class Answer:
    """A text with its probability, ``None`` where nobody told; or the reason why there is none.

    ``is_overlong`` says that the server wrote more tokens than it was asked for.
    """

    text: str
    confidence: float | None = None
    failure: str = ""
    is_overlong: bool = False


def answer_of(reply: Reply, most_tokens: int | None = None) -> Answer:
    """Return what a reply says.

    One that was cut off is taken as far as it goes, as with local models; one of which nothing is
    left is no answer. A server that heeds no limit is held to it as far as can be without its
    tokenizer: no word is less than a token, so that of ``most_tokens`` words the rest is left out.
    """
    text = cleaned(reply.text)
    if not text:
        return Answer("", failure=_why_none(reply))
    sure = None if reply.log_probability is None else math.exp(reply.log_probability)
    if most_tokens is None:
        return Answer(text, sure)
    words = text.split()
    if len(words) > most_tokens:
        return Answer(cleaned(" ".join(words[:most_tokens])), None, is_overlong=True)
    return Answer(text, sure, is_overlong=reply.output_tokens > most_tokens)


def _why_none(reply: Reply) -> str:
    if reply.ending == _CUT_OFF:
        return "cut off before the answer; raise --max-new-tokens, or lower --thinking"
    if reply.ending.startswith(PROMPT_BLOCKED):
        return f"the question was blocked ({reply.ending.removeprefix(PROMPT_BLOCKED)})"
    if reply.ending == FINISHED:
        return (
            f"a reply without an answer ({'no word' if reply.text.strip() else 'nothing'} was said)"
        )
    return f"a reply without an answer ({reply.ending or 'no choices'})"
