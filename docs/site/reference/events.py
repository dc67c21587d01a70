"""The reference of log events: their levels and fields, found where they are logged."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from docs.site.reference.markdown import code, table
from docs.site.reference.sources import PARTS, trees

HEAD = """\
# Log events

Every line of a log is an event: a constant `event`, its `level`, a `timestamp`, and fields. The
curator keeps them as JSON in `LEDGER.log.jsonl`; on a terminal they are lines to read. `...` stands
for fields that are put together while the program runs.

"""
LEVELS = ("debug", "info", "warning", "error")
LOGS = ("log", "self._log")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name, and all levels, fields and rooms it was found with."""

    name: str
    levels: tuple[str, ...]
    fields: tuple[str, ...]
    modules: tuple[str, ...]


def events_page() -> str:
    """Return the page of log events."""
    parts = [HEAD]
    for part in PARTS:
        rows = (
            (code(each.name), ", ".join(each.levels), ", ".join(map(code, each.fields)),
             ", ".join(map(code, each.modules)))
            for each in events(part)
        )  # fmt: skip
        parts.append(f"## {part}\n\n{table(['event', 'level', 'fields', 'module'], rows)}")
    return "".join(parts)


def events(part: str) -> list[Event]:
    """Return the events of a part, by name."""
    found: dict[str, list[tuple[str, tuple[str, ...], str]]] = {}
    for path, tree in trees(part):
        module = ".".join(path.with_suffix("").parts[1:])
        for call, level in _calls(tree):
            fields = tuple(word.arg or "..." for word in call.keywords)
            found.setdefault(_name(call.args[0]), []).append((level, fields, module))
    return [_event(name, several) for name, several in sorted(found.items())]


def _event(name: str, several: list[tuple[str, tuple[str, ...], str]]) -> Event:
    return Event(
        name,
        tuple(dict.fromkeys(level for level, _, _ in several)),
        tuple(dict.fromkeys(field for _, fields, _ in several for field in fields)),
        tuple(dict.fromkeys(module for _, _, module in several)),
    )


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr in LEVELS and ast.unparse(node.func.value) in LOGS:
            yield node, node.func.attr


def _name(argument: ast.expr) -> str:
    """Return the constant name; the two lines that are promised word for word vary."""
    return str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)
