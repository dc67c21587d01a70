"""Languages whose questions have no types, so that nothing can go by them; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.questions.types import OTHER, typed_languages


def untyped_line(prompts: Iterable[Mapping[str, Any]]) -> str:
    """Return what to tell of prompts, as ledgers keep them; empty where all have types."""
    typed = typed_languages()
    asked = [prompt["language"] for prompt in prompts]
    names = {each if isinstance(each, str) else each["name"] for each in asked}
    lacking = sorted(names - set(typed) - set(typed.values()))
    if not lacking:
        return ""
    return (
        f"questions in {' and '.join(lacking)} are mostly of the type {OTHER}: "
        f"types are known in {', '.join(typed.values())}"
    )
