"""Conversations about a picture, as chat models learn from them: each reply is an answer.

LLaVA's `conversations` (`from`, `value`) and the `messages` (`role`, `content`) of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from shared.program.reporting.event_log import EventLog

Row = Mapping[str, Any]

TURNS: Final = ("conversations", "messages")
"""The columns that hold them."""
_SPEAKERS: Final = ("from", "role")
_WORDS: Final = ("value", "content")
_ASKING: Final = frozenset({"human", "user"})
_ANSWERING: Final = frozenset({"gpt", "assistant", "model"})
_PICTURE_MARK: Final = re.compile(r"\s*<image>\s*")
log = EventLog(__name__)


def holds_conversation(row: Row) -> bool:
    """Return whether a row is a conversation."""
    return bool(_turns(row))


def unfolded(path: Path, rows: Sequence[Row]) -> list[Row]:
    """Return a row for each question of each conversation that is answered, and say so."""
    asked = [answered for row in rows for answered in _rows_of(row)]
    log.info(
        "conversations_unfolded",
        file=path.name,
        conversations=len(rows),
        rows=len(asked),
        effect="each question stands alone, without what was said before it",
    )
    return asked


def _turns(row: Row) -> Sequence[Row]:
    turns: list[Row] = next((row[n] for n in TURNS if isinstance(row.get(n), list)), [])
    return turns if all(isinstance(turn, dict) for turn in turns) else ()


def _rows_of(row: Row) -> Iterator[Row]:
    turns = _turns(row)
    if not turns:
        yield row
    others = {name: cell for name, cell in row.items() if name not in (*TURNS, "id")}
    for before, after in pairwise(turns):
        if _first(before, _SPEAKERS) in _ASKING and _first(after, _SPEAKERS) in _ANSWERING:
            yield {**others, "question": _text(before), "answer": _text(after)}


def _text(turn: Row) -> object:
    """Return what was said without the mark of the picture; a list of parts: its texts."""
    words = _first(turn, _WORDS)
    if isinstance(words, list):
        texts = [part.get("text") for part in words if isinstance(part, dict)]
        words = " ".join(text for text in texts if isinstance(text, str))
    return _PICTURE_MARK.sub(" ", words).strip() if isinstance(words, str) else words


def _first(turn: Row, names: Sequence[str]) -> Any:  # noqa: ANN401 (as it is in the file)
    return next((turn[name] for name in names if name in turn), None)
