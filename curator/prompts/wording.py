"""What a prompt's places are filled with: fields, styles and examples in words; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from curator.prompts.languages.language import Language
from curator.prompts.prompt_file import (
    AnswerKind,
    Example,
    FieldType,
    ReplyField,
    Style,
)
from curator.prompts.reply_fields import PICTURE, STYLE
from curator.prompts.template import Template
from shared.endpoints.request import caption

_HOLDS: Final = {
    FieldType.STRING: "",
    FieldType.INTEGER: "an integer",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "true or false",
    FieldType.CHOICE: "",
}


def constants(language: Language, words: int) -> dict[str, str]:
    """Return what stands in a prompt's places whatever the image."""
    return {
        "words": words_text(words),
        "language": language.name,
        "unknown": language.unknown,
        "unanswerable": language.unanswerable,
        "yes": language.yes[0],
        "no": language.no[0],
    }


def words_text(words: int) -> str:
    """Return how long an answer may be."""
    return "one word" if words == 1 else f"at most {words} words"


def fields_text(fields: Mapping[str, ReplyField], *, has_styles: bool) -> str:
    """Return the fields of a pair in one line, with what each holds."""
    names = ["question", "answer", *([STYLE] if has_styles else [])]
    *first, last = [*names, *(_described(name, field) for name, field in fields.items())]
    return f"{', '.join(first)} and {last}"


def _described(name: str, field: ReplyField) -> str:
    holds = _listed(field.choices) if field.choices else _HOLDS[field.type]
    inside = ": ".join(part for part in (holds, field.about) if part)
    return f"{name} ({inside})" if inside else name


def _listed(choices: Sequence[str]) -> str:
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else last


def pictures_text(count: int) -> str:
    """Return what is said of several pictures of one listing; the first of them follows."""
    return (
        f"\n\nThere are {count} pictures of one and the same product, numbered from 1. Ask about "
        f"what each of them shows. Each pair also has the field {PICTURE}: the number of the one "
        "picture that the question is about and that shows the answer; write the question as if "
        f"that picture were the only image, and do not name its number.\n\n{caption(1)}"
    )


def styles_text(
    styles: Mapping[str, Style], counts: Mapping[str, int], yes: int, values: Mapping[str, str]
) -> str:
    """Return how many questions of each style are asked for, ``yes`` of those that are yes or no.

    Nothing where the prompt has no styles.
    """
    if not styles:
        return ""
    lines = ["- Of these questions, so many are of each style:"]
    for name, count in counts.items():
        style = styles[name]
        more = []
        if style.answer is AnswerKind.YES_NO:
            more = [f'{yes} with "{values["yes"]}", {count - yes} with "{values["no"]}"']
        if style.answer_words is not None:
            more += [f"the answer is {words_text(style.answer_words)}"]
        text = "; ".join([Template(style.text).render(values, {}), *more])
        lines.append(f"  - {count} {name}: {text}.")
    return "\n".join(lines)


def examples_text(examples: Sequence[Example]) -> str:
    """Return examples as they would stand in a reply; nothing where there are none."""
    if not examples:
        return ""
    rows = [json.dumps(_as_replied(example), ensure_ascii=False) for example in examples]
    return "\n".join(["- Examples, about other images:", *(f"  {row}" for row in rows)])


def _as_replied(example: Example) -> dict[str, Any]:
    style = {STYLE: example.style} if example.style else {}
    return {"question": example.question, "answer": example.answer, **style, **example.fields}
