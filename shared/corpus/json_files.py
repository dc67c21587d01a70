"""JSON files that hold one object, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.files.atomic import atomic_path


def write_json(value: object, target: Path) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    with atomic_path(target) as part:
        part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        InputError: the file is missing or does not hold one JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected one JSON object")
    return value
