"""A prompt file that cannot be used is one line that names the place and the way out."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from curator.judging.rules import Rule
from curator.prompts.languages.language import Language, known_languages
from curator.prompts.prompt_file import Rules, default_prompt, known_styles, read_prompt_file
from curator.prompts.template import Template
from shared.errors import InputError

TEXT = 'text = "{styles} {fields} {examples}"\n'


DUTCH = '[language]\nname = "Dutch"\nunknown = "onbekend"\nunanswerable = "onbeantwoordbaar"\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('text = "Ask {qestions}."', "text: unknown placeholder {qestions}; there are {questions}"),
        ('text = "Ask {colour}."', "text: unknown placeholder {colour}; there are {easy}"),
        ('text = "A { brace"', "text: a brace by itself in 'A { brace'; write it twice"),
        ('context = "{questions}"', "context: unknown placeholder {questions}"),
        ('question_text = "{listing}"', "question_text: unknown placeholder {listing}"),
        ("[rules]\nrefusals = true", "unknown key 'rules.refusals'; did you mean 'refusal'?"),
        ("[rules]\nword_count = 3.5", "rules.word_count: true or false was expected"),
        (
            "[rules.question_length]\nwords = 0",
            "table [question_length]: words: must be",
        ),
        (TEXT + "[styles]\ncolour = 0.4\ncount = 0.5", "the shares 0.4 + 0.5 add up to 0.9, not"),
        (TEXT + "[styles]\ncolor = 1", "'color' is no style that is known; did you mean 'colour'?"),
        (TEXT + "[styles]\nfunny = 1", "or say with text what it is"),
        (TEXT + '[styles.x]\nshare = 1\ntext = "{nothing}"', "unknown placeholder {nothing}"),
        (
            'text = "x"\n[styles]\ncolour = 1',
            "text: has no {styles}, so that no model would hear of the",
        ),
        ('[fields.sure]\ntype = "number"', None),
        ('text = "x"\n[fields.sure]\ntype = "number"', "text: has no {fields}"),
        ('[fields.sure]\ntype = "float"', "fields.sure.type: must be 'string', 'integer'"),
        ('[fields.sure]\ntype = "choice"', 'choices belong to type = "choice", which needs some'),
        ('[fields.label]\ntype = "string"', "a column 'label' is read as the answer; choose"),
        ("[fields.style]", "style is what [styles] are told by"),
        ("[fields.Sure]", "'Sure' is no name; use small letters"),
        ('[fields.difficulty]\ntype = "integer"', "difficulty is a choice of easy, medium, hard"),
        ('language = "german"', "'german' is no language that is known; did you mean 'de'?"),
        ('language = "xx"', "there are en, de, hi, or describe it in a table [language]"),
        ('[language]\nname = "Dutch"', "language: table [language]: yes: has to be given"),
        ("questions = 51", "questions: must be less than or equal to 50"),
        ("answer_words = true", "answer_words: something else was expected than true"),
        ('[[examples]]\nquestion = "What?"\nanswer = ""', "examples.0.answer: "),
        ('[[examples]]\nquestion = "What?"\nanswer = "x"\nfields = {a = 1}', "no [fields.a]"),
        (
            (
                '[fields.sure]\ntype = "number"\n[[examples]]\nquestion = "What?"\nanswer = "x"\n'
                'fields = { sure = "much" }'
            ),
            "examples: sure is no number; 'much' was given",
        ),
        (
            (
                '[fields.view]\ntype = "choice"\nchoices = ["top"]\n[[examples]]\n'
                'question = "What?"\nanswer = "x"\nfields = { view = "side" }'
            ),
            "examples: view is no choice; 'side' was given",
        ),
        (
            '[fields.view]\ntype = "choice"\nchoices = ["top", "Top"]',
            "fields.view: a choice is there twice",
        ),
        ('[[examples]]\nquestion = "What?"\nanswer = "x"\nstyle = "a"', "there are no [styles]"),
        ('text = ""', "text: may not be empty"),
        (f'{DUTCH}yes = ["ja"]\nno = ["nee", "Ja."]', "'ja' is both yes and no"),
        (f'{DUTCH}yes = ["ja"]\nno = ["nee", "?"]', "no: holds a text without a word"),
        (f'{DUTCH}yes = []\nno = ["nee"]', "yes: may not be empty"),
        ("qestions = 5", "unknown key 'qestions'; did you mean 'questions'?"),
        ("text = [", "not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path, content, told):
    path = tmp_path / "prompt.toml"
    path.write_text(content, encoding="utf-8")
    if told is None:
        assert read_prompt_file(path)
        return
    with pytest.raises(InputError) as refused:
        read_prompt_file(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert "\n" not in message


def test_a_file_may_describe_a_language_of_its_own(tmp_path):
    path = tmp_path / "prompt.toml"
    path.write_text(
        """
        [language]
        name = "Dutch"
        question_words = ["wat", "welke", "de", "het", "een"]
        yes = ["ja"]
        no = ["nee"]
        unknown = "onbekend"
        unanswerable = "onbeantwoordbaar"
        refusals = ["niet zichtbaar"]
        """,
        encoding="utf-8",
    )
    spoken = read_prompt_file(path).spoken
    assert isinstance(spoken, Language)
    assert spoken.truth("Nee!") is False
    assert spoken.refuses(["niet", "zichtbaar"])
    assert spoken.asks(["wat", "is", "dit"])
    assert not spoken.asks(["what", "is", "this"])


def test_the_examples_of_the_document_can_be_used(tmp_path):
    text = Path("docs/prompts.md").read_text(encoding="utf-8")
    blocks = [
        textwrap.dedent(one) for one in re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE)
    ]
    files = [block for block in blocks if "[language]" in block or "language =" in block]
    assert len(files) == 2
    for content in files:
        path = tmp_path / "prompt.toml"
        path.write_text(content, encoding="utf-8")
        assert read_prompt_file(path).spoken.name in {"German", "Dutch"}


def test_every_rule_but_the_empty_pair_and_the_lacking_picture_can_be_switched_by_its_name():
    assert set(Rules.model_fields) == set(Rule) - {Rule.EMPTY, Rule.PICTURE}


def test_what_is_packaged_can_be_read():
    assert set(known_languages()) == {"en", "de", "hi"}
    assert {"colour", "count", "yes_no", "material", "position", "negation"} < set(known_styles())
    assert {"unanswerable", "comparison", "why"} < set(known_styles())
    assert default_prompt().spoken.name == "English"


def test_a_field_that_no_listing_has_is_named_with_the_nearest(tmp_path):
    template = Template("{listing.colour} {listing.weight|unknown}")
    template.require_fields(["Colour", "brand"])
    with pytest.raises(ValueError, match=r"unknown placeholder \{listing.colour\}; there is .*col"):
        template.require_fields(["color", "brand"])
    with pytest.raises(ValueError, match="say what stands for it elsewhere"):
        template.require_fields([])
