"""What was measured so far: a line of JSON each, on disk before the next one is begun.

A line that a kill broke off is measured again. The first line says of what they are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from shared.errors import InputError

MEASURED_FILE: Final = "measured.jsonl"


class Measured:
    """Measurements by key, in a file that grows."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        """Read what is there.

        Raises:
            InputError: the file has measurements of something else.
        """
        self._path, self._known = path, dict[str, Any]()
        whole = _whole_lines(path)
        if not whole:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("", encoding="utf-8")
            self._append({"measured_of": fingerprint})
            return
        if whole[0].get("measured_of") != fingerprint:
            raise InputError(
                f"{path.parent}: holds what was measured of another model or other questions, or "
                "by another version; give another --out, or remove it"
            )
        self._known = {line["key"]: line["value"] for line in whole[1:]}
        _cut_to(path, whole)

    def __contains__(self, key: str) -> bool:
        """Return whether it was measured before."""
        return key in self._known

    def of(self, key: str, measure: Callable[[], Any]) -> Any:  # noqa: ANN401 (as JSON)
        """Return what is known under a key, and else measure and keep it."""
        if key not in self._known:
            value = measure()
            self._append({"key": key, "value": value})
            self._known[key] = value
        return self._known[key]

    def _append(self, line: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    if not path.is_file():
        return lines
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            read = json.loads(line)
        except ValueError:
            break
        if not isinstance(read, dict) or not ({"key", "value"} <= set(read) or not lines):
            break
        lines.append(read)
    return lines


def _cut_to(path: Path, lines: list[dict[str, Any]]) -> None:
    """Leave out a line that was broken off, so that the next one begins a line."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if path.read_text(encoding="utf-8", errors="replace") != text:
        path.write_text(text, encoding="utf-8")
