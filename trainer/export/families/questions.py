"""How a question is folded and what it is put into, for ``shared.onnx_vqa.words`` to follow."""

from __future__ import annotations

from typing import Any

from shared.questions.folding import AS_IT_COMES, QuestionFolding, spellings
from shared.vqa.inputs.instruction import PLACE


def question_rules(folding: QuestionFolding) -> dict[str, Any]:
    """Return how a question is folded, for the runtime; empty where it is taken as it comes."""
    if folding == AS_IT_COMES:
        return {}
    return {
        "folding": folding.name.value,
        "version": folding.version,
        "ending": folding.ending,
        "spellings": dict(spellings(folding.version)),
    }


def prompt_rules(template: str, place: str = PLACE) -> dict[str, Any]:
    """Return what stands around a question, for the runtime; empty without a template.

    ``between`` has what stands from one of several places for the question to the next.
    """
    before, *others = template.split(place)
    if not others:
        return {}
    *between, after = others
    rules: dict[str, Any] = {"before": before, "after": after}
    return rules | {"between": between} if between else rules
