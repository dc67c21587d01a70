"""The rubric that a judge goes by: the one of this release, or a file of one's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.program.toml_files import parsed_toml

_FILE: Final = "rubric.toml"
LONGEST: Final = 20_000
"""Characters of a rubric: it goes with each request."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """A text that says which answers are right, and what it is called."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """Return eight hexadecimal digits of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]


def default_rubric() -> Rubric:
    """Return the rubric of this release."""
    text = files("evaluator.judging").joinpath(_FILE).read_text(encoding="utf-8")
    return Rubric("default", parsed_toml(text, _FILE)["rubric"].strip())


def read_rubric(path: Path) -> Rubric:
    """Return the rubric in a text file.

    Raises:
        InputError: it is missing, no text, empty, or too long to go with each request.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        raise InputError(f"--judge-rubric {path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"--judge-rubric {path}: is a folder; give a text file") from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"--judge-rubric {path}: is no text in UTF-8; give a text file") from error
    if not text:
        raise InputError(f"--judge-rubric {path}: is empty; say in it which answers are right")
    if len(text) > LONGEST:
        raise InputError(
            f"--judge-rubric {path}: has {len(text):,} characters and goes with each request; "
            f"give at most {LONGEST:,}"
        )
    return Rubric(path.name, text)
