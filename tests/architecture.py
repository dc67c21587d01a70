"""Renews docs/architecture.md from the modules themselves: ``python -m tests.architecture``.

The floors come from import-linter's contracts, the arrows from the imports, and what a file is for
from the first line of its docstring. What stands above the mark is written by hand.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/architecture.md"
PARTS = ("curator", "trainer", "evaluator", "shared")
MARK = "<!-- What follows is written by `python -m tests.architecture`. -->\n"


def renewed(document: str) -> str:
    """Return the document with everything below its mark as the tree is now."""
    by_hand, mark, _ = document.partition(MARK)
    assert mark, f"{DOCUMENT.name} has lost its mark: {MARK}"
    return by_hand + MARK + "".join(_part(part) for part in PARTS)


def modules(folder: Path) -> list[Path]:
    """The modules below a folder; migrations of the ledger are a series, not rooms."""
    return [file for file in sorted(folder.rglob("*.py")) if file.parent.name != "versions"]


def _part(part: str) -> str:
    floors = _floors(part)
    tops = [ROOT / part / f"{name}.py" for floor in floors for name in floor]
    rooms = [ROOT / part / name for floor in floors for name in floor]
    text = f"\n## {part}\n\n{_summary(ROOT / part / '__init__.py')}\n\n{_picture(part, floors)}\n"
    text += "".join(_line(file, ROOT / part) for file in tops if file.exists())
    return text + "".join(_room(room, part) for room in rooms if room.is_dir())


def _room(room: Path, part: str) -> str:
    if not (room / "__init__.py").exists():
        return ""
    head = f"\n### {part}/{room.name}\n\n{_summary(room / '__init__.py')}\n\n"
    files = [file for file in modules(room) if file != room / "__init__.py"]
    return head + "".join(_line(file, room) for file in files)


def _line(file: Path, room: Path) -> str:
    path = file.relative_to(room)
    name = f"{path.parent}/" if path.name == "__init__.py" else str(path)
    return f"- `{name}`: {_summary(file)}\n"


def _summary(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert docstring, f"{file}: no docstring says what it is for"
    return docstring.splitlines()[0].replace("``", "`")


def _floors(part: str) -> list[list[str]]:
    """The part's floors, the highest first; what stands on one floor stands side by side."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each.get("containers") == [part]]
    return [[name.strip(" ()") for name in layer.replace(":", "|").split("|")] for layer in layers]


def _picture(part: str, floors: list[list[str]]) -> str:
    names = {name for floor in floors for name in floor}
    arrows = _without_detours({name: _imported(part, name) & names - {name} for name in names})
    lines = [
        f"  {name} --> {other}"
        for floor in floors
        for name in floor
        for other in sorted(arrows[name])
    ]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"]) + "\n"


def _imported(part: str, name: str) -> set[str]:
    """The rooms of its own part that a room, or a module outside of rooms, imports."""
    home = ROOT / part / name
    files = modules(home) if home.is_dir() else [home.with_suffix(".py")]
    return {
        words[1]
        for file in files
        for module in _modules_imported(file)
        if (words := module.split("."))[0] == part and len(words) > 1
    }


def _modules_imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _without_detours(arrows: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out each arrow that follows from others: the picture shows who rests on whom."""
    return {
        name: {
            other
            for other in others
            if not any(_reaches(arrows, between, other) for between in others - {other})
        }
        for name, others in arrows.items()
    }


def _reaches(arrows: Mapping[str, set[str]], start: str, end: str) -> bool:
    return start == end or any(_reaches(arrows, between, end) for between in arrows[start])


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
