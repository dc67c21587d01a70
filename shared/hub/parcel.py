"""What goes up in one commit, looked through for what must not: paths and secrets of a machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.program.reporting.secret_mask import SecretMask

CARD_FILE: Final = "README.md"
EVALUATION_FOLDER: Final = "evaluation"
"""Where the files of runs are in a model's repository."""
_TEXTS: Final = frozenset({".md", ".json", ".jsonl", ".txt", ".jinja", ".html", ".csv", ".toml"})
_SECRET_NAMES: Final = re.compile(r"TOKEN|SECRET|PASSWORD|API_?KEYS?$|_KEYS?$")
"""How variables are called whose values are nobody else's."""


class Kind(StrEnum):
    """What a repository holds, as the hub calls it."""

    MODEL = "model"
    DATASET = "dataset"


@dataclass(frozen=True)
class Parcel:
    """Files by their path in the repository: some on this disk, some made in memory.

    ``left_out`` says, a line each, what stays here. ``stale`` are files of an earlier parcel that
    go, should the repository have them and this one not; ``kept`` are some that stay.
    """

    kind: Kind
    files: Mapping[str, Path | bytes]
    license_name: str = ""
    left_out: Sequence[str] = ()
    stale: Sequence[str] = ()
    kept: Sequence[str] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Return the size of each file, in bytes."""
        return {
            name: len(content) if isinstance(content, bytes) else content.stat().st_size
            for name, content in self.files.items()
        }


def require_nothing_private(parcel: Parcel, *, token: str | None, folder: Path) -> None:
    """Look through the texts of a parcel for this machine's paths, and for secrets.

    ``folder`` is where the files are from. No secret is named in what is raised.

    Raises:
        InputError: a file holds one.
    """
    paths = sorted({f"{each}{os.sep}" for each in (Path.home(), Path.cwd(), folder.resolve())})
    paths = [each for each in paths if len(Path(each).parts) > 1]
    mask = SecretMask(filter(None, (token, *_secrets_around())))
    for name, text in _texts(parcel):
        if mask(text) != text:
            raise InputError(f"{name}: holds a secret of this machine; nothing was sent, remove it")
        for path in paths:
            if _stands_in(text, path):
                raise InputError(
                    f"{name}: holds a path of this machine ({path}...); nothing was sent, remove it"
                )


def _stands_in(text: str, path: str) -> bool:
    """Return whether a whole path stands in a text, and not the middle of an address or another."""
    forms = {path, path.replace("/", "\\/"), json.dumps(path)[1:-1]}
    return f"file://{path}" in text or any(
        re.search(rf"(?<![\w.:/\\-]){re.escape(form)}", text) for form in forms
    )


def _texts(parcel: Parcel) -> Iterator[tuple[str, str]]:
    for name, content in parcel.files.items():
        if Path(name).suffix.lower() in _TEXTS:
            whole = content if isinstance(content, bytes) else content.read_bytes()
            yield name, whole.decode("utf-8", errors="replace")


def _secrets_around() -> list[str]:
    return [
        word
        for name, value in os.environ.items()
        if _SECRET_NAMES.search(name)
        for word in re.split(r"[\s,;]+", value)
        if len(word) > _SHORTEST
    ]


_SHORTEST: Final = 12
"""Characters; shorter values of such variables are words that any text may hold."""
