"""Which column of a file holds what: by the names that people give them, or as they say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared.errors import InputError
from shared.program.command_line.nearest import nearest
from shared.program.reporting.event_log import EventLog
from shared.records.records import COLUMN_ALIASES

ColumnNames = Mapping[str, str]
"""The column of each field, as the user names it; an empty name: the file has none."""

_MOST_SHOWN: Final = 50
_LONGEST_SHOWN: Final = 60
"""Columns that a message names, and characters of each name."""
_COMPARED: Final = 1_000
"""Rows in which two columns that may be meant are compared."""
_TOLD: Final = frozenset({"question", "answer", "answers", "filename", "prediction", "split"})
"""Fields of which a wrong guess changes a score."""
_NO_NAME_CHARACTERS: Final = re.compile(r"[\W_]+")
log = EventLog(__name__)


def parse_columns(text: str | None) -> dict[str, str]:
    """Return the columns that ``--columns answer=ground_truth,prediction=pred`` names.

    Raises:
        InputError: an unknown field (the nearest known one is named), or no pair of names.
    """
    columns: dict[str, str] = {}
    for field, column in split_columns(text):
        if field in columns:
            raise InputError(f"--columns names {field!r} twice; a field has one column")
        columns[field] = column
    return checked_columns(columns, "--columns")


def split_columns(text: str | None) -> list[tuple[str, str]]:
    """Return the pairs of names in the value of ``--columns``, in order; a column may be empty.

    Raises:
        InputError: no pair of names.
    """
    pairs = []
    for part in filter(None, (part.strip() for part in (text or "").split(","))):
        field, equals, column = (side.strip() for side in part.partition("="))
        if not equals or not field:
            raise InputError(f"--columns {part!r}: write FIELD=COLUMN, such as answer=ground_truth")
        pairs.append((field, column))
    return pairs


def checked_columns(columns: Mapping[str, str], source: str) -> dict[str, str]:
    """Return the column of each field; a field also goes by the names of its columns.

    Raises:
        InputError: one is no field's, or a field has two.
    """
    by_field = {_field_of(name): column for name, column in columns.items()}
    if len(by_field) < len(columns):
        raise InputError(f"{source}: two of {', '.join(columns)} are one field; give it one column")
    for field in by_field:
        if field not in COLUMN_ALIASES:
            near = nearest(field, COLUMN_ALIASES)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"{source} {field!r}: {hint}known fields: {', '.join(COLUMN_ALIASES)}")
    return by_field


def _field_of(name: str) -> str:
    """Return the field that is called so, or whose column is; else the name itself."""
    key = column_key(name)
    for field, aliases in COLUMN_ALIASES.items():
        if key in map(column_key, (field, *aliases)):
            return field
    return name


def chosen_columns(
    path: Path,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    named: ColumnNames,
) -> dict[str, str]:
    """Return the column of each field that a file has.

    Case, spaces and underscores do not matter. Where two columns may be meant and differ, the
    first of ``COLUMN_ALIASES`` is taken, and that is said.

    Raises:
        InputError: the file lacks a column that is named.
    """
    chosen = {field: own_name(path, columns, column) for field, column in named.items() if column}
    taken = set(chosen.values())
    by_key = {column_key(name): name for name in reversed(columns) if name not in taken}
    for field, aliases in COLUMN_ALIASES.items():
        if field in named:
            continue
        candidates = list(dict.fromkeys(by_key[k] for k in map(column_key, aliases) if k in by_key))
        if candidates:
            chosen[field] = candidates[0]
            _say_differing(path, field, candidates, rows)
    if chosen.get("answer") == chosen.get("prediction", ""):
        raise InputError(
            f"{path}: {chosen['answer']!r} cannot be both the answer and the prediction"
        )
    for field, name in chosen.items():
        if list(columns).count(name) > 1:
            raise InputError(f"{path}: two columns are called {name!r} (its {field}); rename one")
    return chosen


def column_key(name: str) -> str:
    """Return what of a column's name tells it from others."""
    return _NO_NAME_CHARACTERS.sub("", str(name).lower())


def columns_text(columns: Iterable[object]) -> str:
    """Return the names of columns for a short message of one line, whatever is in them."""
    names = [" ".join(str(name).split()) for name in columns]
    told = [
        name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..."
        for name in names[:_MOST_SHOWN]
    ]
    more = [f"and {len(names) - _MOST_SHOWN:,} more"] if len(names) > _MOST_SHOWN else []
    return ", ".join([*told, *more]) or "none"


def own_name(path: Path, columns: Sequence[str], wanted: str) -> str:
    """Return a file's column as the file names it; case, spaces and underscores do not matter.

    Raises:
        InputError: there is none; all that there are are named.
    """
    alike = [name for name in columns if column_key(name) == column_key(wanted)]
    for name in (*(name for name in alike if str(name).strip() == wanted), *alike):
        return name
    have = columns_text(columns)
    raise InputError(f"{path}: no column {wanted!r}; its columns: {have}")


def _say_differing(
    path: Path, field: str, candidates: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    first, *others = candidates
    differing = [
        other
        for other in others
        # An image has an id beside the name of its file as a matter of course.
        if not (field == "filename" and column_key(other).endswith("id"))
        and any(row.get(first) != row.get(other) for row in rows[:_COMPARED])
    ]
    if differing and field in _TOLD:
        log.warning(
            "column_guessed",
            file=path.name,
            field=field,
            taken=first,
            not_taken=", ".join(differing),
            otherwise=f"--columns {field}={differing[0]}",
        )
