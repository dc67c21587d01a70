"""The modules of the parts as syntax trees: read, not imported, which would take torch."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PARTS: Final = ("curator", "trainer", "evaluator", "shared")


@lru_cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def trees(part: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module of a part, by its path from the root."""
    for path in sorted((ROOT / part).rglob("*.py")):
        yield path.relative_to(ROOT), _parsed(path)


def members_said(choices: type[Enum]) -> dict[str, str]:
    """Return what stands below each member of a class of choices, without its full stop."""
    [body] = ast.parse(inspect.getsource(choices)).body
    assert isinstance(body, ast.ClassDef)
    said = {}
    for statement, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(statement, ast.Assign) and isinstance(below, ast.Expr):
            name = ast.unparse(statement.targets[0])
            text = ast.literal_eval(below.value).removesuffix(".")
            said[name] = text[0].lower() + text[1:] if text[1:2].islower() else text
    return said
