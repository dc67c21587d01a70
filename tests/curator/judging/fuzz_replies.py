"""What must hold of any reply, and a fuzzer that looks for one where it does not.

    python -m tests.curator.judging.fuzz_replies -max_total_time=60

The options are libFuzzer's; without any it fuzzes for a minute. It needs the extra ``fuzz``.
"""

from __future__ import annotations

import importlib
import sys
import unicodedata

from curator.judging import parser as replies
from curator.judging.rules import validate

SECONDS = 60
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


def main() -> None:
    """Fuzz until a crash or until the time is up."""
    import atheris  # noqa: PLC0415 - the other tests need none of it

    def one(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        if provider.ConsumeBool():
            check_reply(provider.ConsumeUnicode(len(data)))
        else:
            count = provider.ConsumeIntInRange(0, 60)
            picks = [provider.ConsumeIntInRange(0, len(PIECES) - 1) for _ in range(count)]
            check_reply("".join(PIECES[pick] for pick in picks) + provider.ConsumeUnicode(200))

    with atheris.instrument_imports(include=["curator.judging.parser"]):
        importlib.reload(replies)
    limits = sys.argv[1:] or [f"-max_total_time={SECONDS}"]
    atheris.Setup([sys.argv[0], *limits], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
