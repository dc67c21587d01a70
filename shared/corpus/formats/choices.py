"""Answers of multiple choice: a place, from 0, in the row's choices, or a column's letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from shared.corpus.formats.cells import cell_text, reference_texts
from shared.corpus.formats.tables import RawTable, Row
from shared.program.reporting.event_log import EventLog

HIDDEN: Final = "-1"
"""What stands for an answer that is kept from the public."""
LONGEST_PLACE: Final = 3
"""Digits."""
_LETTERS: Final = tuple("ABCDEFGHIJ")
"""Columns of choices."""
log = EventLog(__name__)


def with_chosen_answers(path: Path, raw: RawTable, names: Mapping[str, str]) -> RawTable:
    """Return a table whose answers are texts where each is the place of a choice, as ScienceQA's.

    They are when every row has choices and a place among them, one at least is none of the
    choices itself, and not all predictions are places too.
    """
    if "answer" in names and "choices" not in names:
        return _with_lettered_answers(path, raw, names)
    if not {"answer", "choices"} <= names.keys():
        return raw
    answers = [_text(row.get(names["answer"])) for row in raw.rows]
    choices = [_choices(row.get(names["choices"])) for row in raw.rows]
    told = [pair for pair in zip(answers, choices, strict=True) if pair[0] not in {"", HIDDEN}]
    if not told or not all(_is_place(answer, several) for answer, several in told):
        return raw
    if all(answer in several for answer, several in told) or _predicts_places(raw, names, choices):
        return raw
    answer, several = told[0]
    log.info(
        "answers_are_places_of_choices",
        file=path.name,
        such_as=f"{answer}: {several[int(answer)]}",
        otherwise="--columns choices=",
    )
    rows = [
        _chosen(row, names["answer"], answer, several)
        for row, answer, several in zip(raw.rows, answers, choices, strict=True)
    ]
    return replace(raw, rows=rows)


def _with_lettered_answers(path: Path, raw: RawTable, names: Mapping[str, str]) -> RawTable:
    """Return a table whose answers are texts where each is the letter of a column, as VLMEvalKit's.

    Where there are predictions, letters are compared with what was predicted.
    """
    if "prediction" in names or not set(_LETTERS[:2]) <= set(raw.columns):
        return raw
    answers = [_text(row.get(names["answer"])) for row in raw.rows]
    given = [(row, answer) for row, answer in zip(raw.rows, answers, strict=True) if answer]
    if not given or not all(a in _LETTERS and _text(row.get(a)) for row, a in given):
        return raw
    row, answer = given[0]
    log.info(
        "answers_are_letters_of_columns",
        file=path.name,
        such_as=f"{answer}: {_text(row[answer])}",
        otherwise="--columns choices=",
    )
    column = names["answer"]
    rows = [
        {**row, column: row[answer] if answer else None}
        for row, answer in zip(raw.rows, answers, strict=True)
    ]
    return replace(raw, rows=rows)


def _predicts_places(
    raw: RawTable, names: Mapping[str, str], choices: Sequence[tuple[str, ...]]
) -> bool:
    """Return whether predictions are places as well, which answers as they stand are equal to."""
    column = names.get("prediction")
    predicted = [] if column is None else [_text(row.get(column)) for row in raw.rows]
    given = [pair for pair in zip(predicted, choices, strict=False) if pair[0]]
    return bool(given) and all(_is_place(prediction, several) for prediction, several in given)


def _chosen(row: Row, column: str, answer: str, choices: tuple[str, ...]) -> Row:
    return {**row, column: choices[int(answer)] if _is_place(answer, choices) else None}


def _is_place(answer: str, choices: tuple[str, ...]) -> bool:
    return answer.isdecimal() and len(answer) <= LONGEST_PLACE and int(answer) < len(choices)


def _text(cell: object) -> str:
    with suppress(ValueError):
        return cell_text(cell)
    return ""


def _choices(cell: object) -> tuple[str, ...]:
    with suppress(ValueError):
        return reference_texts(cell)
    return ()
