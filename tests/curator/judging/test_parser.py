from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.judging.drafts import Draft
from curator.judging.facts import Form
from curator.judging.parser import Parsed, Unparsable, parse_reply
from tests.fuzz.replies import PIECES, check_reply

COLOUR = Draft("What is the colour of the shoe?", "white")
SHAPE = Draft("What shape has its toe?", "pointed")
BOTH = (COLOUR, SHAPE)

WORDS = st.text(st.characters(whitelist_categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=12)
DRAFTS = st.lists(
    st.builds(
        lambda words, answer, level: Draft(f"{' '.join(words)}?", answer, level),
        st.lists(WORDS, min_size=2, max_size=6),
        WORDS,
        st.sampled_from(["easy", "medium", "hard"]),
    ),
    min_size=1,
    max_size=12,
)


def as_json(drafts: list[Draft]) -> str:
    return json.dumps(
        [
            {"question": draft.question, "answer": draft.answer, "difficulty": draft.difficulty}
            for draft in drafts
        ]
    )


def drafts_of(text: str, form: Form | None = None) -> tuple[Draft, ...]:
    parsed = parse_reply(text)
    assert isinstance(parsed, Parsed), parsed
    assert form is None or parsed.form is form
    return parsed.drafts


@given(st.text() | st.text('[]{}",:?12.-AQ \n\\aq\ud800\0'))
def test_any_text_gives_drafts_or_says_that_it_has_none(text: str) -> None:
    check_reply(text)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_pieces_of_replies_in_any_order_are_read_too(text: str) -> None:
    check_reply(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        '["' * 50_000,
        "{}" * 50_000,
        "[" * 900 + "]" * 900,
        "[" * 990 + "]" * 990,
        '{"question": "' * 20_000,
        "'question': '" * 20_000,
        "[" + "9" * 5_000 + "]",
    ],
)
def test_hostile_text_is_only_unparsable(text: str) -> None:
    assert isinstance(parse_reply(text), Unparsable)


@given(DRAFTS)
def test_structured_output_comes_back_as_it_was(drafts: list[Draft]) -> None:
    assert drafts_of(as_json(drafts), Form.JSON) == tuple(drafts)
    assert drafts_of(f'{{"questions": {as_json(drafts)}}}', Form.JSON) == tuple(drafts)


@given(DRAFTS)
def test_a_fence_and_prose_change_nothing(drafts: list[Draft]) -> None:
    text = as_json(drafts)
    fenced = f"Here [as you asked] they are:\n```json\n{text}\n```\nAnything else?"
    assert drafts_of(fenced, Form.FENCED) == tuple(drafts)


@given(DRAFTS, st.data())
def test_of_a_cut_off_reply_the_complete_pairs_are_kept(drafts: list[Draft], data) -> None:
    text = as_json(drafts)
    cut = data.draw(st.integers(1, len(text) - 1))
    parsed = parse_reply(data.draw(st.sampled_from(["", "```json\n"])) + text[:cut])
    assert parsed.form is Form.CUT_OFF or '"question":' not in text[:cut]
    whole = parsed.drafts if isinstance(parsed, Parsed) else ()
    # Of the very first pair, question and answer are enough; its level may be lost.
    complete = text[:cut].count("}")
    assert whole[:complete] == tuple(drafts[:complete])
    assert len(whole) == complete or whole == (replace(drafts[0], difficulty=""),)


def test_a_cut_off_reply_is_no_list() -> None:
    text = '[\n {\n  "question": "What colour is it?",\n  "answer": "re'
    assert parse_reply(text) == Unparsable("cut off before one pair was complete", Form.CUT_OFF)


@pytest.mark.parametrize(
    "text",
    [
        '[{"question": "What colour is it?", "answer": "red",}, ]',
        '[{"question": "What colour\nis it?", "answer": "red"}]',
        "[{'question': 'What colour is it?', 'answer': 'red'}]",
        '[{"question": "What colour is it?", "answer": "red"}]'.replace('"', "\u201c"),
        '[{"question": "What colour is it?" "answer": "red"}]',
    ],
)
def test_small_mistakes_are_forgiven(text: str) -> None:
    assert drafts_of(text, Form.REPAIRED) == (Draft("What colour is it?", "red"),)


def test_a_mistake_in_one_pair_costs_none_of_the_others() -> None:
    text = (
        '[{"question": "What is it?", "answer": "shoe",}, {"question": "How many?", "answer": "2"}]'
    )
    drafts = (Draft("What is it?", "shoe"), Draft("How many?", "2"))
    assert drafts_of(text, Form.REPAIRED) == drafts
    lines = text.replace(",}", "}").strip("[]").replace("}, {", "}\n{")
    assert drafts_of(lines, Form.REPAIRED) == drafts


def test_what_no_file_can_hold_is_left_out() -> None:
    text = r'[{"question": "What\u0000 is \ud83d it?", "answer": "a\ttoy \ud83e\uddf8"}]'
    assert drafts_of(text) == (Draft("What is it?", "a toy \N{TEDDY BEAR}"),)


def test_names_are_read_in_any_case_and_values_of_any_plain_type() -> None:
    text = (
        '[{"Q": "How many legs are there?", "A": 4}, {"Question": "Is it open?", "Answer": true}]'
    )
    assert drafts_of(text) == (
        Draft("How many legs are there?", "4"),
        Draft("Is it open?", "yes"),
    )


@pytest.mark.parametrize(
    "form",
    [
        "{n}. {q} {a}",
        "{n}. {q}\nAnswer: {a}",
        "{n}) {q} - {a}.\n",
        "Q{n}: {q}\nA{n}: {a}",
        "{n}. **{q}** Answer: {a}",
        "**Question {n}:** {q}\n**Answer:** {a}\n",
        "- {q} ({a})",
        "{n}. Question: {q} Answer: {a}",
        "{n}. {q}\n   {a}",
        "{n}. {q} | {a} |",
    ],
)
@pytest.mark.parametrize("before", ["", "Sure, here are two.\n\n"])
def test_lists_of_the_original_prompt_are_read(form: str, before: str) -> None:
    lines = [form.format(n=n, q=one.question, a=one.answer) for n, one in enumerate(BOTH, start=1)]
    assert drafts_of(before + "\n".join(lines), Form.LIST) == BOTH


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", Form.EMPTY),
        (" \n", Form.EMPTY),
        ("I am sorry, I cannot help with that.", Form.UNPARSABLE),
        ("[]", Form.UNPARSABLE),
        ("null", Form.UNPARSABLE),
        ("1. What is it?\nAnswer: -", Form.UNPARSABLE),
    ],
)
def test_a_reply_without_pairs_is_a_typed_rejection(text: str, form: Form) -> None:
    parsed = parse_reply(text)
    assert isinstance(parsed, Unparsable)
    assert parsed.form is form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('[{"Frage": "Wo ist er?", "Antwort": "da"}]', Form.JSON),
        ('Hier:\n[{"frage": "Wo ist er?", "antwort": "da"}, {"frage": "Was', Form.CUT_OFF),
        ("1. Frage: Wo ist er?\n   Antwort: da", Form.LIST),
        ("**Frage:** Wo ist er?\n**Antwort:** da", Form.LIST),
        ("1. Wo ist er? Antwort: da", Form.LIST),
    ],
)
def test_names_that_were_translated_are_read(text: str, form: Form) -> None:
    assert drafts_of(text, form) == (Draft("Wo ist er?", "da"),)


@pytest.mark.parametrize(
    "text",
    ['[{"प्रश्न": "यह कहाँ है?", "उत्तर": "ऊपर"}]', "प्रश्न 1: यह कहाँ है?\nउत्तर: ऊपर"],
)
def test_hindi_lists_are_read(text: str) -> None:
    assert drafts_of(text) == (Draft("यह कहाँ है?", "ऊपर"),)


@pytest.mark.parametrize(
    ("text", "pictures"),
    [
        ("1. What is it? (Picture 2)\nAnswer: cup\n2. How many?\nAnswer: 4\nPicture: 1", "21"),
        ("Picture 2:\n1. What is it? cup\nQ: how many? A: 4\n\n**Picture 1**\n3. What? cup", "221"),
        ("1. Picture 3: What is it? - cup", "3"),
        ("1. Was ist das? [Bild 2]\nAntwort: Tasse", "2"),
        ("1. What is it?\nAnswer: cup (picture 2)", "2"),
        ("1. What is it?\nAnswer: cup", " "),
    ],
)
def test_pairs_of_a_list_say_which_picture_they_are_about(text, pictures):
    parsed = parse_reply(text)
    assert [draft.others.get("picture", " ") for draft in parsed.drafts] == list(pictures)
    assert not any("icture" in draft.question + draft.answer for draft in parsed.drafts)
