"""docs/architecture.md describes the tree that is there."""

from __future__ import annotations

import re

from tests.architecture import DOCUMENT, PARTS, ROOT, modules, renewed

RENEW = "renew it: python -m tests.architecture"


def test_every_module_has_its_line_and_every_line_its_module() -> None:
    described = set()
    folder = ROOT
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"#{2,3} ((?:curator|trainer|evaluator|shared)(?:/\w+)?)", line):
            folder = ROOT / heading[1]
            described.add(folder / "__init__.py")
        elif entry := re.match(r"- `([\w/.]+)`: ", line):
            name = entry[1]
            described.add(folder / (f"{name}__init__.py" if name.endswith("/") else name))
    assert described == {file for part in PARTS for file in modules(ROOT / part)}, RENEW


def test_what_it_says_is_what_the_modules_say() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert renewed(document) == document, RENEW
