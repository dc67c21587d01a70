"""From a reply's text to a verdict: the parser and the rules together; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curator.replies import Unparsable, parse_reply
from curator.validation import Verdict, validate


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reply is worth; ``reason`` says why where no pair was accepted, else is empty."""

    verdict: Verdict
    reason: str


def judge(text: str, ending: str, *, answer_words: int, metadata: Mapping[str, str]) -> Judgement:
    """Parse and validate a reply; ``ending`` is how the service says it ended."""
    parsed = parse_reply(text)
    drafts = () if isinstance(parsed, Unparsable) else parsed
    verdict = validate(drafts, answer_words=answer_words, metadata=metadata)
    if verdict.accepted:
        return Judgement(verdict, "")
    reason = parsed.detail if isinstance(parsed, Unparsable) else "no pair passed the rules"
    return Judgement(verdict, reason if ending in {"", "STOP"} else f"{reason} ({ending})")
