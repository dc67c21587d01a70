"""Every answer of an address as it came: nothing that was paid for is asked twice.

RUN/asked.jsonl   one line a request that was settled; a process may be killed at any moment, and
                  what of its last line came to the disk is cut off by the next one
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import orjson

from shared.errors import InputError
from shared.records import as_unicode

JOURNAL_FILE: Final = "asked.jsonl"


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a question.

    ``failure`` says why there is no answer; empty where there is one. ``said`` is all that was said
    where the answer is a part of it. Tokens are as the server
    counted them. ``latency_s`` is the time of the request that was answered, ``at`` when that was,
    seconds since the epoch; ``requests`` counts those before it too. ``answered_by`` is what the
    server calls the model, ``project`` the one whose quota it took. Texts are without halves of
    characters, which a server may send and no file takes.
    """

    answer: str
    confidence: float | None = None
    failure: str = ""
    said: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    cached_tokens: int = 0
    latency_s: float = 0.0
    at: float = 0.0
    requests: int = 1
    model: str = ""
    answered_by: str = ""
    project: str = ""

    def __post_init__(self) -> None:
        for name in ("answer", "failure", "said", "answered_by"):
            object.__setattr__(self, name, as_unicode(getattr(self, name)))


_FIELDS: Final = frozenset(field.name for field in fields(Asked))


def question_key(model: str, filename: str, text: str, view: str = "") -> str:
    """Return what tells one request of a run from every other: the same one is asked once.

    ``view`` says how the picture is shown, see ``shared.records.Question``.
    """
    parts = [model, filename, text, *([view] if view else [])]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


class Journal:
    """The answers so far, and the file that grows by each further one."""

    def __init__(self, path: Path) -> None:
        """Read what is there.

        Raises:
            InputError: it is something else.
        """
        self._path = path
        self._answers: dict[str, Asked] = {}
        content = path.read_bytes() if path.is_file() else b""
        whole, _, _ = content.rpartition(b"\n")
        self._whole_bytes = len(whole) + 1 if whole else 0
        for line, text in enumerate(whole.split(b"\n") if whole else (), start=1):
            try:
                value = orjson.loads(text)
                known = {name: value[name] for name in value if name in _FIELDS}
                self._answers[value["key"]] = Asked(**known)
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{path}: line {line} is no answer of a run; remove the line, and its question "
                    "is asked again"
                ) from error

    @property
    def answers(self) -> Mapping[str, Asked]:
        """All answers by ``question_key``."""
        return self._answers

    def keep(self, key: str, asked: Asked) -> None:
        """Write an answer; it stays however the process ends."""
        line = orjson.dumps({"key": key, **asdict(asked)}) + b"\n"
        # Opened for each: what follows a request that took a second takes some 30 microseconds.
        with self._path.open("ab") as file:
            if file.tell() > self._whole_bytes:
                file.truncate(self._whole_bytes)
            file.write(line)
        self._whole_bytes += len(line)
        self._answers[key] = asked
