"""The modules of the parts as syntax trees: read, not imported, which would take torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PARTS: Final = ("curator", "trainer", "evaluator", "shared")


@lru_cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def trees(part: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module of a part, by its path from the root."""
    for path in sorted((ROOT / part).rglob("*.py")):
        yield path.relative_to(ROOT), _parsed(path)
