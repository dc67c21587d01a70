"""The one way to read TOML: a file, or text from elsewhere, with errors that name the source."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from shared.errors import InputError


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        InputError: the file is missing, not text, or not TOML.
    """
    try:
        # Editors on Windows begin a file with a mark of its encoding.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; a TOML file was expected") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text in UTF-8; save it in that") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return parsed_toml(text, str(path))


def parsed_toml(text: str, source: str) -> dict[str, Any]:
    """Return the tables in ``text``; ``source`` names where it came from in errors.

    Raises:
        InputError: it is not TOML. The error has no cause: that may hold the text, and in it keys.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not valid TOML ({error})") from None


def parsed_value(text: str) -> object:
    """Return a value that is written as in TOML; ``text`` itself where it is no such value."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
