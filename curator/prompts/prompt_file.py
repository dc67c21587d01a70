"""The prompt file: a TOML file that says what is asked, and by which rules replies are judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, field_validator, model_validator

from curator.prompts.languages.language import Language, language_of
from curator.prompts.languages.words import ENGLISH
from curator.prompts.reply_fields import DIFFICULTIES, DIFFICULTY, STYLE
from curator.prompts.template import LISTING, Template
from shared.errors import InputError
from shared.program.command_line.nearest import nearest
from shared.program.settings import Settings, validated
from shared.program.toml_files import parsed_toml, read_toml
from shared.records import COLUMN_ALIASES

MOST_QUESTIONS: Final = 50
MOST_WORDS: Final = 20
DEFAULT_FILE: Final = "default.toml"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_CONSTANT: Final = ("words", "language", "unknown", "unanswerable", "yes", "no")
_OF_PROMPT: Final = ("questions", "easy", "hard", "fields", "styles", "examples", *_CONSTANT)
_TOLERANCE: Final = 1e-3
_TAKEN: Final[Mapping[str, str]] = {
    alias: field for field, names in COLUMN_ALIASES.items() for alias in (field, *names)
}
"""Column names that readers of data take for something, and for what."""

_Questions = Annotated[int, Field(ge=1, le=MOST_QUESTIONS)]
_WordCount = Annotated[int, Field(ge=1, le=MOST_WORDS)]


class FieldType(StrEnum):
    """What a field of a reply holds."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"


class ReplyField(Settings):
    """``[fields.NAME]``: what each pair of a reply says besides its question and answer.

    ``about`` is told to the model. A pair that lacks a ``required`` field is rejected.
    """

    type: FieldType = FieldType.STRING
    choices: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    about: str = ""
    required: bool = False

    def holds(self, value: str | float | bool) -> bool:
        """Return whether ``value`` is one of the field's."""
        match self.type:
            case FieldType.CHOICE:
                return value in self.choices
            case FieldType.STRING:
                return isinstance(value, str)
            case FieldType.BOOLEAN:
                return isinstance(value, bool)
            case FieldType.INTEGER:
                return isinstance(value, int) and not isinstance(value, bool)
            case _:
                return isinstance(value, int | float) and not isinstance(value, bool)

    @model_validator(mode="after")
    def _has_choices(self) -> Self:
        if (self.type is FieldType.CHOICE) != bool(self.choices):
            raise ValueError('choices belong to type = "choice", which needs some')
        return self


class AnswerKind(StrEnum):
    """What the rule ``style`` holds the answers of a style to."""

    ANY = "any"
    NUMBER = "number"
    YES_NO = "yes_no"
    UNANSWERABLE = "unanswerable"


class Style(Settings):
    """``[styles.NAME]``: questions of one style, and their share of all.

    ``text`` tells the model what they are, ``answer`` what holds of their answers, ``answer_words``
    how long these may be where it differs from the prompt's.
    """

    share: float = Field(0.0, ge=0, le=1)
    text: str = ""
    answer: AnswerKind = AnswerKind.ANY
    answer_words: _WordCount | None = None


class QuestionLength(Settings):
    """``[rules.question_length]``: fewest words, most characters."""

    words: int = Field(3, ge=1)
    characters: int = Field(300, ge=10)


class Rules(Settings):
    """``[rules]``: which rules apply; they are called as ``curator status`` calls them."""

    question_length: QuestionLength | bool = QuestionLength()
    word_count: bool = True
    refusal: bool = True
    language: bool = True
    answer_in_question: bool = True
    duplicate_question: bool = True
    surplus: bool = True
    style: bool = True
    field: bool = True

    @field_validator("question_length", mode="before")
    @classmethod
    def _as_it_is_usual(cls, value: object) -> object:
        return _table(QuestionLength, {} if value is True else value, "question_length")


class Example(Settings):
    """``[[examples]]``: a pair as it should be, about some other image, with its other fields."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    style: str = ""
    fields: dict[str, str | int | float | bool] = Field({})


class PromptFile(Settings):
    """A whole prompt file. What it leaves out is as in the default one, but for the fields.

    ``text`` goes before the image and ``context`` after it; ``question_text`` asks for a second
    opinion on one question.
    """

    text: str = Field(min_length=1)
    context: str = ""
    question_text: str = Field(min_length=1)
    questions: _Questions = 10
    answer_words: _WordCount = 1
    language: str | Language = ENGLISH
    fields: dict[str, ReplyField] = Field({})
    rules: Rules = Rules()
    styles: dict[str, Style] = Field({})
    examples: tuple[Example, ...] = ()

    @property
    def spoken(self) -> Language:
        """The language that questions and answers are in."""
        return language_of(self.language) if isinstance(self.language, str) else self.language

    @property
    def extra_fields(self) -> Mapping[str, ReplyField]:
        """The fields that are columns of their own."""
        return {name: field for name, field in self.fields.items() if name != DIFFICULTY}

    @field_validator("text")
    @classmethod
    def _is_a_text(cls, text: str) -> str:
        Template(text).check((*_OF_PROMPT, LISTING))
        return text

    @field_validator("context")
    @classmethod
    def _is_a_context(cls, text: str) -> str:
        Template(text).check((*_CONSTANT, LISTING))
        return text

    @field_validator("question_text")
    @classmethod
    def _asks_one_question(cls, text: str) -> str:
        Template(text).check(_CONSTANT)
        return text

    @field_validator("language", mode="before")
    @classmethod
    def _may_be_a_table(cls, language: object) -> object:
        return _table(Language, language, "language")

    @field_validator("language")
    @classmethod
    def _is_known(cls, language: str | Language) -> str | Language:
        if isinstance(language, str):
            language_of(language)
        return language

    @field_validator("fields")
    @classmethod
    def _are_columns(cls, fields: dict[str, ReplyField]) -> dict[str, ReplyField]:
        for name, field in fields.items():
            _check_name(name)
            if name == DIFFICULTY:
                if not field.choices or not set(field.choices) <= set(DIFFICULTIES):
                    raise ValueError(f"{DIFFICULTY} is a choice of {', '.join(DIFFICULTIES)}")
            elif name == STYLE:
                raise ValueError(f"{STYLE} is what [styles] are told by; choose another name")
            elif name in _TAKEN:
                raise ValueError(
                    f"a column {name!r} is read as the {_TAKEN[name]}; choose another name"
                )
        return fields

    @field_validator("styles", mode="before")
    @classmethod
    def _with_shares(cls, styles: object) -> object:
        if not isinstance(styles, dict):
            return styles
        return {name: _described(name, style) for name, style in styles.items()}

    @field_validator("styles")
    @classmethod
    def _add_up(cls, styles: dict[str, Style]) -> dict[str, Style]:
        for name, style in styles.items():
            _check_name(name)
            Template(style.text).check(_CONSTANT)
        total = sum(style.share for style in styles.values())
        if styles and abs(total - 1) > _TOLERANCE:
            listed = " + ".join(f"{style.share:g}" for style in styles.values())
            raise ValueError(f"the shares {listed} add up to {total:g}, not to 1")
        return styles


def default_prompt() -> PromptFile:
    """Return the prompt of a campaign that names none."""
    return _default()


@cache
def _default() -> PromptFile:
    return validated(PromptFile, parsed_toml(default_text(), DEFAULT_FILE), source=DEFAULT_FILE)


def default_text() -> str:
    """Return the default prompt file, commented."""
    return files("curator.prompts").joinpath(DEFAULT_FILE).read_text(encoding="utf-8")


def read_prompt_file(path: Path) -> PromptFile:
    """Read a prompt file; texts and rules that it does not give are those of the default one.

    Raises:
        InputError: it cannot be read, something in it is unknown, or it contradicts itself.
    """
    usual = default_prompt().model_dump(include={"text", "context", "question_text"})
    prompt = validated(PromptFile, usual | read_toml(path), source=str(path))
    if fault := next(_contradictions(prompt), ""):
        raise InputError(f"{path}: {fault}")
    return prompt


def prompt_from(content: Mapping[str, Any], source: str) -> PromptFile:
    """Return the prompt that ``PromptFile.model_dump`` made ``content`` of.

    Raises:
        InputError: it is of a release that knew more.
    """
    return validated(PromptFile, content, source=source)


def _contradictions(prompt: PromptFile) -> Iterator[str]:
    """Yield what of a file does not go together.

    What a ledger keeps of older files is not held to it.
    """
    if fault := prompt.spoken.fault:
        yield f"language: {fault}"
    for name, asked in prompt.fields.items():
        if len(set(map(str.lower, asked.choices))) < len(asked.choices):
            yield f"fields.{name}: a choice is there twice; services refuse that"
    text = Template(prompt.text)
    given = {
        "styles": bool(prompt.styles),
        "examples": bool(prompt.examples),
        "fields": bool(prompt.extra_fields),
    }
    for name, is_given in given.items():
        if is_given and not text.names(name):
            yield f"text: has no {{{name}}}, so that no model would hear of the {name}"
    for example in prompt.examples:
        for name, value in example.fields.items():
            field = prompt.fields.get(name)
            if field is None:
                yield f"examples: there is no [fields.{name}]"
            elif not field.holds(value):
                yield f"examples: {name} is no {field.type.value}; {value!r} was given"
        if example.style and not prompt.styles:
            yield f"examples: {example.question!r} has a style, and there are no [styles]"
        if prompt.styles and example.style not in prompt.styles:
            yield f"examples: {example.question!r} needs a style of {', '.join(prompt.styles)}"


def _table(model: type[Settings], value: object, name: str) -> object:
    """Return a table as what it stands for; where others may stand, pydantic would name all."""
    if not isinstance(value, dict):
        return value
    try:
        return validated(model, value, source=f"table [{name}]")
    except InputError as error:
        raise ValueError(str(error)) from None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name; use small letters, digits and underscores")


@cache
def _known_styles() -> Mapping[str, Mapping[str, Any]]:
    text = files("curator.prompts").joinpath("styles.toml").read_text(encoding="utf-8")
    return parsed_toml(text, "styles.toml")


def known_styles() -> tuple[str, ...]:
    """Return the names of the styles that need no text."""
    return tuple(_known_styles())


def _described(name: str, style: object) -> object:
    """Return the table of a style, with what is known of one of its name."""
    if isinstance(style, float | int) and not isinstance(style, bool):
        style = {"share": style}
    if not isinstance(style, dict):
        return style
    known = _known_styles().get(name, {})
    if not known and not style.get("text"):
        near = nearest(name, _known_styles())
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_known_styles())};"
        raise ValueError(f"{name!r} is no style that is known; {hint} or say with text what it is")
    return {**known, **style}
