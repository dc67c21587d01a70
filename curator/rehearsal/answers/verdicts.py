"""Plays a judge of answers (`evaluator run --judge`): right is what equals a reference. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from curator.rehearsal.inbound import Inquiry
from shared.questions.answers import exact_match

_CASE: Final = re.compile(r"<data>\s*(\{.*\})\s*</data>")


def verdict_text(inquiry: Inquiry) -> str | None:
    """Return the verdict that a request asks for; ``None`` where it asks for something else."""
    found = _CASE.search(inquiry.text)
    if inquiry.images or found is None:
        return None
    try:
        case: Any = json.loads(found[1])
        answer, references = case["answer"], case["references"]
        is_right = any(exact_match(answer, reference) for reference in references)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return json.dumps({"verdict": "right" if is_right else "wrong"})
