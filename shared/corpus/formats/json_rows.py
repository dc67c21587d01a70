"""Rows in JSON, as data sets, harnesses and pandas write them.

One object a line, an array of objects, or an object that holds such an array; VQA v2's questions
and annotations, which belong together, are joined.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared.corpus.formats.cells import cell_text
from shared.corpus.formats.conversations import holds_conversation, unfolded
from shared.program.reporting.event_log import EventLog
from shared.records import COLUMN_ALIASES, SPLIT_WORDS
from shared.records.columns import column_key
from shared.records.json_values import json_value

QUESTIONS: Final = "questions"
ANNOTATIONS: Final = "annotations"
_ROW_KEYS: Final = (
    *("data", "rows", QUESTIONS, ANNOTATIONS, "samples", "examples", "predictions", "results"),
    *("logs", "pairs", "items", "records", "instances"),
)
_NAMES_OF_ROWS: Final = frozenset(
    column_key(alias)
    for field in ("question", "answer", "answers", "prediction")
    for alias in COLUMN_ALIASES[field]
)
_ANSWER_NAMES: Final = frozenset(map(column_key, COLUMN_ALIASES["answer"]))
_QUESTION_NAMES: Final = frozenset(map(column_key, COLUMN_ALIASES["question"]))
_EXPECTED: Final = "each row must be one JSON object"
_LISTS_HINT: Final = (
    "its rows are lists without names: say which is which with --columns, such as "
    "question=0,answer=1,filename=2 (the image's number or name)"
)
log = EventLog(__name__)

Rows = tuple[Sequence[Mapping[str, Any]], str]
"""Rows, and the way out where a column is missing."""


def read_json_rows(path: Path, encoding: str) -> Rows:
    """Return the rows of a JSON or JSON lines file.

    Raises:
        ValueError: there are none; the message says what was expected.
    """
    rows, hint = _rows_of(path, path.read_text(encoding=encoding))
    return [_with_document(row) for row in told_apart(path, rows)], hint


def told_apart(path: Path, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return rows as they are, or a row for each answered question where they are conversations."""
    # A harness keeps the conversation beside the answer that it judges.
    if any(map(holds_conversation, rows)) and not any(map(_is_row, rows)):
        return unfolded(path, rows)
    return rows


def _with_document(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row of lm-eval or lmms-eval with what it was made of, which stands in `doc`.

    What the harness judged by, its `target`, goes before the answers of the document.
    """
    document = row.get("doc")
    if not isinstance(document, dict) or "target" not in row:
        return row
    told = row["target"] not in (None, "", [])
    if not told:
        row = {name: cell for name, cell in row.items() if name != "target"}
    taken = {column_key(name) for name in row} | (_ANSWER_NAMES if told else set())
    others = {name: cell for name, cell in document.items() if column_key(name) not in taken}
    if any(column_key(name) in _QUESTION_NAMES for name in others):
        # Its `input` is the question with the harness's words around it.
        row = {name: cell for name, cell in row.items() if name != "input"}
    return {**row, **others}


def _rows_of(path: Path, text: str) -> Rows:
    if path.suffix.lower() == ".json" or text.lstrip().startswith("["):
        return _whole_or_lines(path, text)
    try:
        return _of_lines(path, text)
    except ValueError:
        try:
            value = json_value(text)
        except ValueError:
            pass
        else:
            return _of_value(path, value)
        raise


def _whole_or_lines(path: Path, text: str) -> Rows:
    try:
        value = json_value(text)
    except ValueError as whole:
        try:
            return _of_lines(path, text)
        except ValueError:
            raise whole from None
    return _of_value(path, value)


def _of_lines(path: Path, text: str) -> Rows:
    values = []
    # Not splitlines(): JSON allows other separators within a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values.append(json_value(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    if len(values) == 1:
        return _of_value(path, values[0])
    return _of_list(values)


def _of_value(path: Path, value: object) -> Rows:
    if isinstance(value, list):
        return _of_list(value)
    if not isinstance(value, dict):
        raise ValueError(_EXPECTED)  # noqa: TRY004 (a value of the data)
    if isinstance(value.get(QUESTIONS), list) or isinstance(value.get(ANNOTATIONS), list):
        return _questions_and_annotations(path, value)
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return _of_list([dict(zip(value["columns"], row, strict=False)) for row in value["data"]])
    if value.keys() <= SPLIT_WORDS.keys() and all(isinstance(v, list) for v in value.values()):
        parts = {key: _of_list(rows)[0] for key, rows in value.items()}
        return [{"split": key, **row} for key, rows in parts.items() for row in rows], ""
    for key in () if _is_row(value) else _ROW_KEYS:
        if isinstance(value.get(key), list):
            return _of_list(value[key])
    return _of_object(value)


def _of_list(values: Sequence[object]) -> Rows:
    if values and all(isinstance(value, list) for value in values):
        rows = [{str(place): cell for place, cell in enumerate(row)} for row in values]  # type: ignore[arg-type,var-annotated]
        return rows, _LISTS_HINT
    rows = []
    for value in values:
        if not isinstance(value, dict):
            raise ValueError(_EXPECTED)  # noqa: TRY004 (a value of the data)
        # The hub's viewer wraps each row.
        rows.append(value["row"] if isinstance(value.get("row"), dict) else value)
    return rows, ""


def _of_object(value: Mapping[str, Any]) -> Rows:
    """Return the rows of an object of objects: by id, as GQA has them, or by column, as pandas."""
    inner = list(value.values())
    if _is_row(value) and all(isinstance(part, list) for part in inner):
        columns = [part for part in inner if isinstance(part, list)]
        if len({len(part) for part in columns}) == 1:
            return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)], ""
    if not inner or not all(isinstance(part, dict) for part in inner):
        return [value], ""
    if not _is_row(value):
        return [{"id": key, **row} for key, row in value.items()], ""
    keys = dict.fromkeys(key for part in inner for key in part)
    return [{name: part.get(key) for name, part in value.items()} for key in keys], ""


def _is_row(names: Mapping[str, object]) -> bool:
    """Return whether an object has the names of a row, and is not what rows are wrapped in."""
    return any(column_key(name) in _NAMES_OF_ROWS for name in names)


def _questions_and_annotations(path: Path, value: Mapping[str, Any]) -> Rows:
    """Join VQA v2's two lists by `question_id`; one of them may lie in a file beside."""
    parts = {
        name: value[name] if isinstance(value.get(name), list) else _beside(path, name)
        for name in (QUESTIONS, ANNOTATIONS)
    }
    lists = {name: _of_list(part)[0] for name, part in parts.items() if part is not None}
    missing = [name for name in parts if name not in lists]
    if missing:
        [(there, rows)] = lists.items()
        hint = (
            f"it holds {there}, and the {missing[0]} are in another file: put it beside this one "
            f"as {_beside_names(path, missing[0])[0]}"
        )
        return rows, hint
    # Ids are numbers in one file and texts in the other where two programs wrote them.
    annotations = {cell_text(row.get("question_id")): row for row in lists[ANNOTATIONS]}
    annotations.pop("", None)
    return [
        {**row, **annotations.get(cell_text(row.get("question_id")), {})}
        for row in lists[QUESTIONS]
    ], ""


def _beside(path: Path, wanted: str) -> list[object] | None:
    for name in _beside_names(path, wanted):
        other = path.with_name(name)
        if other.is_file() and other != path:
            try:
                value = json.loads(other.read_text(encoding="utf-8-sig"))
            except ValueError as error:
                raise ValueError(f"{name}, which lies beside it: {error}") from error
            if isinstance(value, dict) and isinstance(value.get(wanted), list):
                log.info("joined_by_question_id", file=path.name, beside=name)
                return list(value[wanted])
    return None


def _beside_names(path: Path, wanted: str) -> list[str]:
    """Return what VQA v2 calls the other file: questions alone name their task."""
    if QUESTIONS not in path.name and ANNOTATIONS not in path.name:
        return [f"{path.stem}_{wanted}.json"]
    if wanted == ANNOTATIONS:
        name = path.name.replace(QUESTIONS, ANNOTATIONS)
        return [name.replace("OpenEnded_", ""), name]
    name = path.name.replace(ANNOTATIONS, QUESTIONS)
    start, _, rest = name.partition("mscoco_")
    return [f"{start}OpenEnded_mscoco_{rest}", name] if rest else [name]
