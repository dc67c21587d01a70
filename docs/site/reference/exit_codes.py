"""The reference of exit codes: the exceptions that mean them, found in the code."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from docs.site.reference.markdown import code, table, with_code
from docs.site.reference.sources import PARTS, trees
from shared import errors

MEANINGS = {
    errors.EXIT_DONE: "done",
    errors.EXIT_FAILED: "failed: one line says why; so ends a gate that is missed, too",
    errors.EXIT_BAD_INPUT: "bad input or usage: one line says the way out; nothing was written",
    errors.EXIT_STOPPED_FOR_NOW: "stopped in good order: the same command goes on",
}


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of ours."""

    name: str
    says: str
    base: str
    code: int | None
    module: str


def exit_codes_page() -> str:
    """Return the page of exit codes and of what is raised from Python."""
    codes = table(["code", "means"], ((code(str(number)), MEANINGS[number]) for number in MEANINGS))
    found = _raised()
    rows = (
        (code(each.name), code(str(_code_of(each, found))), with_code(each.says), code(each.module))
        for each in sorted(found.values(), key=lambda each: (each.module, each.name))
    )
    return (
        "# Exit codes\n\n"
        "Every program ends with one of four codes. From Python the same is an exception; all are "
        "`shared.errors.AboVqaError`.\n\n"
        f"{codes}## Exceptions\n\n{table(['exception', 'code', 'when', 'module'], rows)}"
    )


def _raised() -> dict[str, Raised]:
    classes = [
        each for part in PARTS for path, tree in trees(part) for each in _classes(path, tree)
    ]
    ours = {"AboVqaError"}
    while grown := {each.name for each in classes if each.base in ours} - ours:
        ours |= grown
    return {each.name: each for each in classes if each.name in ours}


def _classes(path: Path, tree: ast.Module) -> list[Raised]:
    return [_raised_by(node, path) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def _raised_by(node: ast.ClassDef, path: Path) -> Raised:
    base = ast.unparse(node.bases[0]).rpartition(".")[2] if node.bases else ""
    own = [
        getattr(errors, statement.value.id)
        for statement in node.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name)
        if ast.unparse(statement.targets[0]) == "exit_code"
    ]
    says = (ast.get_docstring(node) or "").partition("\n\n")[0]
    module = ".".join(path.with_suffix("").parts)
    return Raised(node.name, says, base, own[0] if own else None, module)


def _code_of(each: Raised, found: dict[str, Raised]) -> int:
    return each.code if each.code is not None else _code_of(found[each.base], found)
