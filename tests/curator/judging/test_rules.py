from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.judging.drafts import Draft
from curator.judging.rules import Rule, validate
from curator.prompts.languages.words import words_of
from curator.prompts.prompt_file import PromptFile, Rules

GOOD = Draft("What is the colour of the shoe?", "white")
TEXTS = st.text(max_size=30)


@pytest.mark.parametrize(
    ("draft", "rule"),
    [
        (Draft("What is the colour?", "dark blue"), Rule.WORD_COUNT),
        (Draft("Is the white shoe white?", "White"), Rule.ANSWER_IN_QUESTION),
        (Draft("Is the shoe black or white?", "Shoe"), Rule.ANSWER_IN_QUESTION),
        (Draft("Who made the shoe?", "Unknown"), Rule.REFUSAL),
        (Draft("Who made the shoe?", "N/A"), Rule.REFUSAL),
        (Draft("Who made the shoe?", "?!"), Rule.EMPTY),
        (Draft("Colour?", "white"), Rule.QUESTION_LENGTH),
        (Draft("¿De qué color es el zapato?", "blanco"), Rule.LANGUAGE),
        (Draft("Welche Farbe hat der Schuh?", "weiß"), Rule.LANGUAGE),
        (Draft("What is the colour of it?", "白色"), Rule.LANGUAGE),
        (Draft("这双鞋的 主要 颜色 是什么?", "white"), Rule.LANGUAGE),
        (Draft("What is " + "very " * 100 + "big?", "shoe"), Rule.QUESTION_LENGTH),
    ],
)
def test_each_rule_rejects_by_name(draft: Draft, rule: Rule) -> None:
    verdict = validate([draft, GOOD], answer_words=1)
    assert verdict.accepted == (GOOD,)
    assert [(one.draft, one.rule) for one in verdict.rejected] == [(draft, rule)]


def test_the_first_of_two_equal_questions_stays() -> None:
    again = Draft("what is the colour, of the shoe", "ivory")
    verdict = validate([GOOD, again], answer_words=1)
    assert verdict.accepted == (GOOD,)
    assert verdict.rejected[0].rule is Rule.DUPLICATE_QUESTION


def test_more_pairs_than_asked_for_are_kept_apart() -> None:
    drafts = [Draft(f"What is part {number} of it?", "leg") for number in range(4)]
    verdict = validate([Draft("Why?", "so"), *drafts], answer_words=1, most=3)
    assert verdict.accepted == tuple(drafts[:3])
    assert [one.rule for one in verdict.rejected] == [Rule.QUESTION_LENGTH, Rule.SURPLUS]


def test_an_answer_that_its_question_offers_as_a_choice_is_accepted() -> None:
    draft = Draft("Is the shoe black or white?", "White")
    assert validate([draft], answer_words=1).accepted == (draft,)


def test_a_word_inside_a_word_is_not_the_answer_inside_the_question() -> None:
    draft = Draft("What is the headboard made of?", "board")
    assert validate([draft], answer_words=1).accepted == (draft,)


def test_a_loan_word_with_an_accent_is_still_english() -> None:
    drafts = [Draft("What is this décor made of?", "papier-mâché"), Draft("Is a bow shown?", "yes")]
    assert validate(drafts, answer_words=1).accepted == tuple(drafts)


def test_longer_answers_pass_where_they_were_asked_for() -> None:
    draft = Draft("What is the colour?", "dark blue")
    assert validate([draft], answer_words=2).accepted == (draft,)


LIKE_WORDS = st.sampled_from(
    ["What", "is", "the", "shoe", "or", "white", "White", "unknown", "no", "N/A", "Farbe", "ñ", "?"]
)
LIKE_TEXTS = st.lists(LIKE_WORDS, max_size=5).map(" ".join)
PLAIN = PromptFile(text="Ask.", question_text="Ask.")
# With a field of its own, no draft of a prompt is judged at a glance.
FIELDED = PromptFile(text="Ask.", question_text="Ask.", fields={"mood": {"about": "how it looks"}})


@given(st.lists(st.builds(Draft, LIKE_TEXTS, LIKE_TEXTS), max_size=8), st.integers(1, 3))
def test_what_is_quickly_seen_to_be_fit_is_fit_by_all_rules(
    drafts: list[Draft], answer_words: int
) -> None:
    quick, slow = (
        validate(drafts, answer_words=answer_words, prompt=prompt) for prompt in (PLAIN, FIELDED)
    )
    assert [one.question for one in quick.accepted] == [one.question for one in slow.accepted]
    assert [one.rule for one in quick.rejected] == [one.rule for one in slow.rejected]


@given(st.lists(st.builds(Draft, TEXTS, TEXTS), max_size=8), st.integers(1, 3))
def test_every_draft_is_either_accepted_or_kept_with_its_reason(drafts, words) -> None:
    verdict = validate(drafts, answer_words=words)
    assert len(verdict.accepted) + len(verdict.rejected) == len(drafts)
    assert all(len(draft.answer.split()) <= words for draft in verdict.accepted)


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_those_of_the_regular_expression(text):
    assert words_of(text) == re.findall(r"\w+", text.lower())


PROMPT = PromptFile(
    text="{styles} {fields}",
    question_text="?",
    language="de",
    styles={"colour": 0.25, "count": 0.25, "yes_no": 0.25, "unanswerable": 0.25},
    fields={
        "sure": {"type": "number", "required": True},
        "view": {"type": "choice", "choices": ["front", "side"]},
        "good": {"type": "boolean"},
    },
)
ONE_WORD = {"answer_words": 1, "prompt": PROMPT, "styles": tuple(PROMPT.styles)}
SURE = {"sure": "0.5", "view": "Front", "good": "yes", "odd": [1]}


def german(question: str, answer: str, style: str = "", **others: object) -> Draft:
    return Draft(question, answer, others={**SURE, "style": style, **others})


def test_a_draft_keeps_its_style_and_its_fields_as_they_are_typed() -> None:
    verdict = validate([german("Wie ist der Stuhl gefärbt?", "rot", " Colour")], **ONE_WORD)
    (kept,) = verdict.accepted
    assert (kept.style, kept.others) == ("colour", {"sure": 0.5, "view": "front", "good": True})


@pytest.mark.parametrize(
    ("draft", "rule"),
    [
        (german("Wie viele Beine hat er?", "einige", "count"), Rule.STYLE),
        (german("Wie viele Beine hat er?", "vier", "count"), None),
        (german("Ist der Stuhl rot?", "vielleicht", "yes_no"), Rule.STYLE),
        (german("Ist der Stuhl rot?", "Nein.", "yes_no"), None),
        (german("Wie schwer ist der Stuhl?", "9", "unanswerable"), Rule.STYLE),
        (german("Wie schwer ist der Stuhl?", "unbekannt", "unanswerable"), None),
        (german("Wie schwer ist der Stuhl?", "unbekannt", "colour"), Rule.REFUSAL),
        (german("Wo steht der Stuhl?", "links", "position"), Rule.STYLE),
        (german("Wo steht der Stuhl?", "links"), None),
        (german("Where is the chair?", "left"), Rule.LANGUAGE),
        (german("Wo steht der Stuhl?", "слева"), Rule.LANGUAGE),
        (german("Ist der Stuhl rot oder blau?", "rot"), None),
        (german("Ist der Stuhl rot?", "rot"), Rule.ANSWER_IN_QUESTION),
        (german("Wo steht der Stuhl?", "links", sure="very"), Rule.FIELD),
        (german("Wo steht der Stuhl?", "links", view="top"), None),
    ],
)
def test_rules_go_by_the_language_the_styles_and_the_fields_of_the_prompt(draft, rule) -> None:
    verdict = validate([draft], **ONE_WORD)
    assert [one.rule for one in verdict.rejected] == ([rule] if rule else [])


def test_what_a_picture_does_not_tell_is_one_word_whatever_was_said() -> None:
    asked = german("Wie schwer ist der Stuhl?", "nicht zu sehen", "unanswerable")
    (kept,) = validate([asked], **ONE_WORD).accepted
    assert kept.answer == "unbeantwortbar"


@pytest.mark.parametrize("rule", sorted(set(Rule) - {Rule.EMPTY, Rule.PICTURE, Rule.SURPLUS}))
def test_a_rule_that_is_switched_off_rejects_nothing(rule: Rule) -> None:
    broken = {
        Rule.QUESTION_LENGTH: german("Wo ist?", "hier"),
        Rule.WORD_COUNT: german("Wo steht der Stuhl?", "ganz weit links"),
        Rule.REFUSAL: german("Wo steht der Stuhl?", "unklar"),
        Rule.LANGUAGE: german("Where does it stand?", "left"),
        Rule.ANSWER_IN_QUESTION: german("Ist der Stuhl rot?", "rot"),
        Rule.DUPLICATE_QUESTION: german("Wo steht der Stuhl?", "links"),
        Rule.STYLE: german("Wo steht der Stuhl?", "links", "position"),
        Rule.FIELD: german("Wo steht der Stuhl?", "links", sure=None),
    }[rule]
    drafts = [german("Wo steht der Stuhl?", "rechts")] * (rule is Rule.DUPLICATE_QUESTION)
    without = PROMPT.model_copy(update={"rules": Rules.model_validate({rule.value: False})})
    [rejected] = validate([*drafts, broken], **ONE_WORD).rejected
    assert rejected.rule is rule
    assert validate([*drafts, broken], **{**ONE_WORD, "prompt": without}).rejected == ()
