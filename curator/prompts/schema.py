"""The form that a reply must have, in Gemini's dialect of JSON Schema; built here alone; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final


@dataclass(frozen=True, eq=False)
class ReplySchema:
    """The form that a reply must have: a name, and a schema in Gemini's dialect."""

    name: str
    content: Mapping[str, Any]


_TEXT_FIELD: Final = {"type": "STRING"}
PAIRS_SCHEMA: Final = ReplySchema(
    "question_answer_pairs",
    {
        "type": "ARRAY",
        "items": {
            "type": "OBJECT",
            "properties": {
                "question": _TEXT_FIELD,
                "answer": _TEXT_FIELD,
                "difficulty": {"type": "STRING", "enum": ["easy", "medium", "hard"]},
            },
            "required": ["question", "answer", "difficulty"],
            "propertyOrdering": ["question", "answer", "difficulty"],
        },
    },
)
ANSWER_SCHEMA: Final = ReplySchema(
    "answer",
    {"type": "OBJECT", "properties": {"answer": _TEXT_FIELD}, "required": ["answer"]},
)


# One for the pairs of a campaign, and one for second opinions.
@lru_cache(maxsize=4)
def schema_with(field: str, schema: ReplySchema) -> ReplySchema:
    """Return a schema whose replies begin with a further text, so that a cut-off one has it too.

    A list then stands in the field ``pairs``.
    """
    content = schema.content
    if content["type"] == "ARRAY":
        content = {"type": "OBJECT", "properties": {"pairs": content}, "required": ["pairs"]}
    properties = {field: _TEXT_FIELD, **content["properties"]}
    return ReplySchema(
        f"{schema.name}_with_{field}",
        {
            **content,
            "properties": properties,
            "required": [field, *content["required"]],
            "propertyOrdering": list(properties),
        },
    )
