"""What must hold of any reply of a service."""

from __future__ import annotations

import unicodedata

from curator.judging import parser as replies
from curator.judging.rules import validate

UNREADABLE = {"empty", "unparsable"}
PIECES = (
    *("[", "]", "{", "}", '"', "'", ":", ",", "?", "\\", "\n", " ", "\0", "\ud800", "\u201c"),
    *('"question"', '"answer"', '"difficulty"', '"q": "Is it?"', '"a": "yes"', '"easy"', "null"),
    *('{"question": "What is it?", "answer": "shoe"}', "```json\n", "\n```", "1. ", "Q2: ", "A2: "),
    *(
        "What is it?",
        "Answer: ",
        "red",
        "Question 3: ",
        "- ",
        "\\u",
        "\\ud83d",
        "1e999",
        "true",
        ",}",
    ),
)
"""What replies are made of: a dictionary for whoever puts them together blindly."""


def check_reply(text: str) -> None:
    """Raise AssertionError unless ``text`` gives fit drafts or a typed rejection."""
    single = replies.parse_answer(text)
    if isinstance(single, replies.ParsedAnswer):
        single.answer.encode()
        assert single.answer.strip()
    parsed = replies.parse_reply(text)
    if isinstance(parsed, replies.Unparsable):
        assert parsed.detail
        assert parsed.form in UNREADABLE | {"cut_off"}
        return
    assert isinstance(parsed, replies.Parsed)
    assert parsed.drafts
    assert parsed.form not in UNREADABLE
    for draft in parsed.drafts:
        for field in (draft.question, draft.answer):
            assert field == " ".join(field.split()) != ""
            assert not {unicodedata.category(one) for one in field} & {"Cc", "Cs"}
            field.encode()
    verdict = validate(parsed.drafts, answer_words=2, most=5)
    assert len(verdict.accepted) + len(verdict.rejected) == len(parsed.drafts)
    assert len(verdict.accepted) == len(verdict.agreements) <= 5
