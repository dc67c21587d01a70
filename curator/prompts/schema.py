"""The form of replies in Gemini's dialect of JSON Schema; built here alone; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from curator.prompts.prompt_file import FieldType, ReplyField
from curator.prompts.reply_fields import PICTURE, STYLE
from shared.endpoints.request import ReplySchema

_TEXT: Final = {"type": "STRING"}
_TYPES: Final[Mapping[FieldType, str]] = {
    FieldType.STRING: "STRING",
    FieldType.INTEGER: "INTEGER",
    FieldType.NUMBER: "NUMBER",
    FieldType.BOOLEAN: "BOOLEAN",
    FieldType.CHOICE: "STRING",
}
ANSWER_SCHEMA: Final = ReplySchema(
    "answer",
    {"type": "OBJECT", "properties": {"answer": _TEXT}, "required": ["answer"]},
)
"""Of the reply to a single question."""


def pairs_schema(
    fields: Mapping[str, ReplyField], styles: Sequence[str], pictures: int = 1
) -> ReplySchema:
    """Return the form of a list of pairs, with the ``fields`` and one of the ``styles`` in each.

    Where there are several ``pictures``, each pair says which it needs.
    """
    properties: dict[str, Any] = {"question": _TEXT, "answer": _TEXT}
    if pictures > 1:
        properties[PICTURE] = {"type": "INTEGER"}
    if styles:
        properties[STYLE] = {"type": "STRING", "enum": list(styles)}
    for name, field in fields.items():
        kind = {"type": _TYPES[field.type]}
        properties[name] = kind | ({"enum": list(field.choices)} if field.choices else {})
    names = list(properties)
    pair = {"type": "OBJECT", "properties": properties, "required": names}
    items = pair | {"propertyOrdering": names}
    return ReplySchema("question_answer_pairs", {"type": "ARRAY", "items": items})


# One for the pairs of each prompt of a campaign, and one for second opinions.
@lru_cache(maxsize=16)
def schema_with(field: str, schema: ReplySchema) -> ReplySchema:
    """Return a schema whose replies begin with a further text, so that a cut-off one has it too.

    A list then stands in the field ``pairs``.
    """
    content = schema.content
    if content["type"] == "ARRAY":
        content = {"type": "OBJECT", "properties": {"pairs": content}, "required": ["pairs"]}
    properties = {field: _TEXT, **content["properties"]}
    return ReplySchema(
        f"{schema.name}_with_{field}",
        {
            **content,
            "properties": properties,
            "required": [field, *content["required"]],
            "propertyOrdering": list(properties),
        },
    )
