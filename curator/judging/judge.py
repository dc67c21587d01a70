"""From a reply's text to a verdict: the parser and the rules together; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from curator.judging.agreeing.listing_map import ListingMap
from curator.judging.facts import NO_CANDIDATE, Form, ReplyFacts
from curator.judging.parser import Unparsable, parse_answer, parse_reply
from curator.judging.rules import Verdict, validate
from curator.prompts.languages.language import Language
from curator.prompts.prompt import Prompt
from shared.endpoints.protocols.annotator import FINISHED, PROMPT_BLOCKED, Reply
from shared.value_class import value_class

FINAL_ENDINGS: Final = frozenset(
    {"SAFETY", "IMAGE_SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"}
)
"""Ways of ending without text that asking again does not change."""
NO_VALID_PAIR: Final = "no_valid_pair"


@value_class
class Judgement:
    """What a reply is worth.

    ``verdict`` is on the pairs that were asked for, ``answer`` the one to a single question, and
    ``agrees`` whether that says what was said first; each is ``None`` or empty where the other was
    asked for. ``reason`` says why where the reply is of
    no use, else is empty; ``is_final`` that asking again would change nothing.
    """

    facts: ReplyFacts
    reason: str
    is_final: bool
    verdict: Verdict | None = None
    answer: str = ""
    agrees: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether what was asked for is there."""
        return not self.facts.rejection


def judge(
    reply: Reply,
    prompt: Prompt,
    *,
    image: str,
    metadata: Mapping[str, str],
    listing_map: ListingMap | None = None,
    pictures: Collection[int] | None = None,
) -> Judgement:
    """Parse and validate a reply to what ``prompt`` asks about the image with that path.

    ``listing_map`` says which fields of the listing answer what, if not the packaged mapping,
    ``pictures`` the numbers that pairs may name, where the request had several.
    """
    parsed = parse_reply(reply.text)
    drafts = () if isinstance(parsed, Unparsable) else parsed.drafts
    asked = prompt.asked(image)
    verdict = validate(
        drafts,
        answer_words=prompt.answer_words,
        most=asked.questions,
        metadata=metadata,
        prompt=prompt.file,
        styles=[name for name, _ in asked.styles],
        listing_map=listing_map,
        pictures=pictures,
    )
    rejection = "" if verdict.accepted else rejection_of(reply.ending, parsed.form)
    facts = ReplyFacts(reply.ending, parsed.form, len(drafts), rejection)
    reason = parsed.detail if isinstance(parsed, Unparsable) else "no pair passed the rules"
    return _judgement(facts, reason, verdict=verdict)


def judge_answer(reply: Reply, first: str, language: Language) -> Judgement:
    """Parse the reply to a single question that was answered by ``first`` before."""
    parsed = parse_answer(reply.text)
    if isinstance(parsed, Unparsable):
        rejection = rejection_of(reply.ending, parsed.form)
        return _judgement(ReplyFacts(reply.ending, parsed.form, 0, rejection), parsed.detail)
    facts, answer = ReplyFacts(reply.ending, parsed.form, 1), parsed.answer
    agrees = language.is_same(answer, first)
    return Judgement(facts, "", is_final=False, answer=answer, agrees=agrees)


def _judgement(facts: ReplyFacts, reason: str, *, verdict: Verdict | None = None) -> Judgement:
    if not facts.rejection:
        return Judgement(facts, "", is_final=False, verdict=verdict)
    told = reason if facts.ending in {"", FINISHED} else f"{reason} ({facts.ending})"
    return Judgement(facts, told, is_final=_is_final(facts.ending), verdict=verdict)


def rejection_of(ending: str, form: Form) -> str:
    """Return the kind of a reply that is of no use as a whole.

    The ending in lower case, such as ``safety`` or ``prompt_blocked_other``, where it says why;
    else ``no_candidate``, ``empty``, ``unparsable`` or ``no_valid_pair``.
    """
    if ending not in {"", FINISHED}:
        return ending.lower()
    if form is Form.EMPTY:
        return Form.EMPTY.value if ending else NO_CANDIDATE
    return form.value if form in {Form.UNPARSABLE, Form.CUT_OFF} else NO_VALID_PAIR


def _is_final(ending: str) -> bool:
    """Return whether a reply that ended so would end so again."""
    return ending.removeprefix(PROMPT_BLOCKED) in FINAL_ENDINGS
