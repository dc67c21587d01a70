"""Texts as Markdown shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_MARKS: Final = re.compile(r"([\\*_\[\]#])")


def plain(text: str) -> str:
    """Return text that Markdown shows as it stands, in one line."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return _MARKS.sub(r"\\\1", line)


def code(text: str) -> str:
    """Return text as code, in one line."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{' '.join(text.split())}{fence}"


def with_code(text: str) -> str:
    """Return a docstring's paragraph: what stands between backticks is code, the rest is plain."""
    parts = re.split(r"`+([^`]+)`+", text)
    return "".join(code(part) if odd % 2 else plain(part) for odd, part in enumerate(parts))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines) + "\n"


def _cell(text: str) -> str:
    # Within code a pipe ends no cell, and a backslash before it would be shown.
    parts = re.split(r"(`[^`]*`)", text.replace("\n", " "))
    return "".join(part if odd % 2 else part.replace("|", r"\|") for odd, part in enumerate(parts))
