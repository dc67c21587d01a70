"""Examples in docstrings are true; those of the metrics are tested with their registry."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
METRICS = ROOT / "evaluator" / "metrics"
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for part in ("curator", "evaluator", "shared", "trainer")
    for path in sorted((ROOT / part).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8") and METRICS not in path.parents
]


@pytest.mark.parametrize("name", MODULES)
def test_what_a_docstring_shows_is_what_happens(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert (outcome.failed, outcome.attempted > 0) == (0, True)
