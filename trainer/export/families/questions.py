"""How a question is folded, as rules that ``shared.onnx_vqa.words`` follows."""

from __future__ import annotations

from typing import Any

from shared.questions.folding import AS_IT_COMES, QuestionFolding, spellings


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
