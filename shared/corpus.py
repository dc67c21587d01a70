"""The only reader and writer of question/answer data and of predictions.

Files are CSV, JSON lines or Parquet, by suffix; a data set folder holds ``qa.parquet`` and
``manifest.json``. Every write goes to a temporary file beside its target and is renamed when it is
complete, so that a reader never sees half a file.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.lib
import pyarrow.parquet as pq

from shared.atomic import atomic_path
from shared.boxes import boxes_json, parse_boxes
from shared.errors import InputError
from shared.records import COLUMN_ALIASES, SPLITS, Prediction, Provenance, QAPair, Question, pair_id

QA_FILE: Final = "qa.parquet"
MANIFEST_FILE: Final = "manifest.json"
WRITE_BATCH: Final = 10_000

PAIR_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("filename", pa.string()),
        ("split", pa.string()),
        ("difficulty", pa.string()),
        ("model", pa.string()),
        ("prompt_version", pa.string()),
        ("listing_id", pa.string()),
        ("agreement", pa.string()),
        ("answers", pa.string()),
        ("second_answer", pa.string()),
        ("second_opinion", pa.string()),
        ("boxes", pa.list_(pa.list_(pa.float64()))),
        ("domain", pa.string()),
    ]
)
CSV_PAIR_COLUMNS: Final = ("id", "question", "answer", "filename")
PREDICTION_COLUMNS: Final = ("id", "filename", "question", "answer", "prediction")

Row = Mapping[str, Any]


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


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pairs_digest(pairs: Iterable[QAPair]) -> str:
    """Return one digest for a set of pairs, whatever their order or file format."""
    digest = PairsDigest()
    for pair in pairs:
        digest.add(pair)
    return digest.hexdigest()


class PairsDigest:
    """The digest of a set of pairs that pass by one at a time: a sum of their SHA-256 values."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, pair: QAPair) -> None:
        """Count ``pair`` in; the order does not matter."""
        fields = (pair.filename, pair.question, pair.answer, pair.split or "", *pair.answers)
        boxes = boxes_json(pair.boxes)
        fields = fields if boxes is None else (*fields, boxes)
        line = hashlib.sha256("\0".join(fields).encode())
        self._sum += int.from_bytes(line.digest(), "big")

    def hexdigest(self) -> str:
        """Return the digest as 64 hexadecimal digits."""
        return f"{self._sum % 2**256:064x}"


def read_pairs(path: Path) -> list[QAPair]:
    """Read pairs from a data set folder or from a CSV, JSON lines or Parquet file.

    Column names may be in any case and under the aliases of ``COLUMN_ALIASES``; rows without an
    id get ``shared.records.pair_id``. Rows with an empty question, answer or file name raise, and
    so does a cell of ``boxes`` that holds none, see ``shared.boxes``.

    Raises:
        InputError: nothing readable is there, or the needed columns are missing.
    """
    if path.is_dir():
        if not (path / QA_FILE).is_file():
            raise InputError(f"{path}: not a data set folder ({QA_FILE} is missing)")
        path = path / QA_FILE
    columns, rows = _read_rows(path)
    names = _match_columns(columns, path, _with_answer(columns, "question", "filename"))
    pairs = [_pair(row, names, path, line) for line, row in enumerate(rows, start=1)]
    if not pairs:
        raise InputError(f"{path}: holds no question/answer rows")
    return pairs


@dataclass(frozen=True)
class QuestionTable:
    """Questions as a file holds them: all its columns, and one ``Question`` for each row."""

    columns: Sequence[str]
    rows: Sequence[Row]
    questions: Sequence[Question]


def read_questions(path: Path) -> QuestionTable:
    """Read questions about images, answers not needed, keeping every column.

    Raises:
        InputError: the file is unreadable, empty, or has no question or image column.
    """
    columns, rows = _read_rows(path)
    names = _match_columns(columns, path, needed=("question", "filename"))
    questions = []
    for line, row in enumerate(rows, start=1):
        try:
            questions.append(
                Question(str(line), _text(row, names, "question"), _text(row, names, "filename"))
            )
        except ValueError as error:
            raise InputError(f"{path}: row {line}: {error}") from error
    if not questions:
        raise InputError(f"{path}: holds no questions")
    return QuestionTable(columns, rows, questions)


def write_csv_rows(columns: Sequence[str], rows: Iterable[Row], path: Path) -> None:
    """Write rows as CSV, whole or not at all.

    Raises:
        InputError: a place that cannot be written.
    """
    with atomic_path(path) as part:
        _write_csv(columns, ([row.get(name) for name in columns] for row in rows), part)


@dataclass(frozen=True)
class PredictionTable:
    """Predictions that can be scored, and the rows, from 1, that cannot: they have no reference."""

    predictions: Sequence[Prediction]
    without_reference: Sequence[int]


def read_predictions(path: Path) -> list[Prediction]:
    """Read what ``write_predictions`` wrote: each row has its reference.

    Raises:
        InputError: as ``read_prediction_table``, or a row has no reference.
    """
    table = read_prediction_table(path)
    for line in table.without_reference:
        raise InputError(f"{path}: row {line}: the reference answer is empty; mend or remove it")
    return list(table.predictions)


def read_prediction_table(path: Path) -> PredictionTable:
    """Read anyone's predictions with their references from a CSV, JSON lines or Parquet file.

    Text is taken as it stands: "none", "nan" and "NA" are answers, not missing cells. An empty
    prediction is kept (it is a wrong answer). A row without a reference cannot be scored, and is
    named. A file without a ``filename`` column takes each row for an image of its own. Several
    references stand in a column ``answers``: a list, in CSV a JSON list, of strings or of VQA v2's
    objects with ``answer``; ``answer`` may then be missing.

    Raises:
        InputError: the file is unreadable, has no answer or prediction column, or no row that can
            be scored.
    """
    columns, rows = _read_rows(path)
    names = _match_columns(columns, path, _with_answer(columns, "prediction"))
    predictions, without = [], []
    for line, row in enumerate(rows, start=1):
        prediction = _prediction(row, names, path, line)
        if prediction is None:
            without.append(line)
        else:
            predictions.append(prediction)
    if not predictions:
        which = "with a reference answer" if without else "at all"
        raise InputError(f"{path}: holds no prediction {which}")
    return PredictionTable(predictions, without)


def count_predictions(path: Path) -> int:
    """Return how many predictions a Parquet file holds, without reading them.

    Raises:
        InputError: the file is missing or no Parquet.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pyarrow.lib.ArrowException) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error


def read_number_columns(path: Path, names: Sequence[str]) -> dict[str, list[float | None]]:
    """Read columns of numbers, such as the metrics beside predictions; ``None`` where empty.

    Raises:
        InputError: the file is unreadable, or a column is missing or holds something else.
    """
    columns, rows = _read_rows(path)
    missing = [name for name in names if name not in columns]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; its columns: {columns}")
    try:
        return {
            name: [None if row[name] in {None, ""} else float(row[name]) for row in rows]
            for name in names
        }
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: not a number ({error})") from error


def write_pairs(pairs: Iterable[QAPair], path: Path) -> int:
    """Write pairs as ``.csv``, ``.jsonl`` or ``.parquet``; return how many.

    CSV holds the four columns of the contract; the other formats hold every field.

    Raises:
        InputError: another suffix, or a place that cannot be written.
    """
    writers = {".csv": _write_csv_pairs, ".jsonl": _write_jsonl_pairs, ".parquet": _write_parquet}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"{path}: cannot tell the format; use .csv, .jsonl or .parquet")
    with atomic_path(path) as part:
        return writer(pairs, part)


def write_predictions(
    predictions: Sequence[Prediction], path: Path, columns: Mapping[str, Sequence[float]]
) -> None:
    """Write predictions as ``.csv`` or ``.parquet`` with one extra column for each metric.

    Only Parquet holds where the model looked.

    Raises:
        InputError: another suffix, or a place that cannot be written.
    """
    table = _prediction_table(predictions, columns)
    with atomic_path(path) as part:
        if path.suffix == ".parquet":
            if any(p.attention for p in predictions):
                packed = pa.array([p.attention for p in predictions], pa.binary())
                table = table.append_column("attention", packed)
            pq.write_table(table, part, compression="zstd")
        elif path.suffix == ".csv":
            cells = (list(row.values()) for row in table.to_pylist())
            _write_csv(table.column_names, cells, part)
        else:
            raise InputError(f"{path}: cannot tell the format; use .csv or .parquet")


def _prediction_table(
    predictions: Sequence[Prediction], columns: Mapping[str, Sequence[float]]
) -> pa.Table:
    arrays: dict[str, pa.Array] = {
        "id": pa.array([p.pair.id for p in predictions], pa.string()),
        "filename": pa.array([p.pair.filename for p in predictions], pa.string()),
        "question": pa.array([p.pair.question for p in predictions], pa.string()),
        "answer": pa.array([p.pair.answer for p in predictions], pa.string()),
        "prediction": pa.array([p.answer for p in predictions], pa.string()),
        "confidence": pa.array([p.confidence for p in predictions], pa.float64()),
        "grounding": pa.array([p.grounding for p in predictions], pa.float64()),
        "broken_image": pa.array([p.broken_image for p in predictions], pa.bool_()),
    }
    if any(p.pair.agreement for p in predictions):
        arrays["agreement"] = pa.array([p.pair.agreement for p in predictions], pa.string())
    if any(p.pair.domain for p in predictions):
        arrays["domain"] = pa.array([p.pair.domain for p in predictions], pa.string())
    if any(p.pair.answers for p in predictions):
        arrays["answers"] = pa.array([_as_list(p.pair) for p in predictions], pa.string())
    if any(p.pair.boxes for p in predictions):
        boxes = [boxes_json(p.pair.boxes) for p in predictions]
        arrays["boxes"] = pa.array(boxes, pa.string())
        overlaps = [p.grounding_boxes for p in predictions]
        arrays["grounding_boxes"] = pa.array(overlaps, pa.float64())
    for name, values in columns.items():
        arrays[name] = pa.array(values, pa.float64(), from_pandas=True)
    return pa.table(arrays)


def _write_csv_pairs(pairs: Iterable[QAPair], part: Path) -> int:
    cells = ((pair.id, pair.question, pair.answer, pair.filename) for pair in pairs)
    return _write_csv(CSV_PAIR_COLUMNS, cells, part)


def _write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], part: Path) -> int:
    count = 0
    with part.open("w", encoding="utf-8", newline="") as file:
        plain = csv.writer(file, lineterminator="\n")
        # Plain quoting leaves a carriage return bare, and readers end the row there.
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        plain.writerow(columns)
        for count, row in enumerate(rows, start=1):  # noqa: B007
            bare_return = any(isinstance(cell, str) and "\r" in cell for cell in row)
            (quoted if bare_return else plain).writerow(row)
    return count


def _write_jsonl_pairs(pairs: Iterable[QAPair], part: Path) -> int:
    count = 0
    with part.open("w", encoding="utf-8") as file:
        for count, pair in enumerate(pairs, start=1):  # noqa: B007
            file.write(json.dumps(pair_row(pair), ensure_ascii=False) + "\n")
    return count


def _write_parquet(pairs: Iterable[QAPair], part: Path) -> int:
    count = 0
    batch: list[dict[str, Any]] = []
    with pq.ParquetWriter(part, PAIR_SCHEMA) as writer:
        for pair in pairs:
            batch.append(pair_row(pair))
            if len(batch) == WRITE_BATCH:
                writer.write_table(pa.Table.from_pylist(batch, PAIR_SCHEMA))
                count += len(batch)
                batch.clear()
        writer.write_table(pa.Table.from_pylist(batch, PAIR_SCHEMA))
    return count + len(batch)


def pair_row(pair: QAPair) -> dict[str, Any]:
    """Return the fields of ``pair`` under the names in ``PAIR_SCHEMA``."""
    return {
        "id": pair.id,
        "question": pair.question,
        "answer": pair.answer,
        "filename": pair.filename,
        "split": pair.split,
        "difficulty": pair.difficulty,
        "model": pair.provenance.model,
        "prompt_version": pair.provenance.prompt_version,
        "listing_id": pair.provenance.listing_id,
        "agreement": pair.agreement,
        "answers": _as_list(pair),
        "second_answer": pair.second_answer,
        "second_opinion": pair.second_opinion,
        "boxes": [box.edges for box in pair.boxes] or None,
        "domain": pair.domain or None,
    }


def _as_list(pair: QAPair) -> str | None:
    return json.dumps(pair.answers, ensure_ascii=False) if pair.answers else None


def _read_rows(path: Path) -> tuple[list[str], list[Row]]:
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a .csv, .jsonl or .parquet file was expected")
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: cannot tell the format; use .csv, .jsonl or .parquet")
    try:
        return reader(path)
    except (
        OSError,
        UnicodeDecodeError,
        csv.Error,
        ValueError,
        pyarrow.lib.ArrowException,
    ) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error


def _read_csv(path: Path) -> tuple[list[str], list[Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows: list[Row] = [dict(row) for row in reader]
        return list(reader.fieldnames or ()), rows


def _read_jsonl(path: Path) -> tuple[list[str], list[Row]]:
    with path.open(encoding="utf-8") as file:
        rows: list[Row] = [json.loads(line) for line in file if line.strip()]
    columns: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise ValueError("each line must be one JSON object")  # noqa: TRY004
        columns.update(dict.fromkeys(row))
    return list(columns), rows


def _read_parquet(path: Path) -> tuple[list[str], list[Row]]:
    table = pq.read_table(path)
    return table.column_names, table.to_pylist()


def _match_columns(columns: Sequence[str], path: Path, needed: Sequence[str]) -> dict[str, str]:
    by_lower = {str(column).strip().lower(): column for column in reversed(columns)}
    names = {
        field: by_lower[alias]
        for field, aliases in COLUMN_ALIASES.items()
        for alias in reversed(aliases)
        if alias in by_lower
    }
    missing = [field for field in needed if field not in names]
    if missing:
        wanted = ", ".join(" or ".join(COLUMN_ALIASES[field]) for field in missing)
        have = ", ".join(map(str, columns)) or "none"
        raise InputError(f"{path}: no column {wanted}; its columns: {have}")
    return names


def _with_answer(columns: Sequence[str], *needed: str) -> tuple[str, ...]:
    """Return the needed columns: ``answer`` too, unless ``answers`` stand there."""
    several = "answers" in {str(column).strip().lower() for column in columns}
    return needed if several else ("answer", *needed)


def _cell(row: Row, names: Mapping[str, str], field: str) -> Any:  # noqa: ANN401 (as it is in the file)
    return row.get(names[field]) if field in names else None


def _text(row: Row, names: Mapping[str, str], field: str) -> str:
    value = _cell(row, names, field)
    if isinstance(value, float):
        # A column of whole numbers with a gap in it is one of floats: 2.0 was written for 2.
        value = "" if math.isnan(value) else int(value) if value.is_integer() else value
    return "" if value is None else str(value).strip()


def _several(row: Row, names: Mapping[str, str], path: Path, line: int) -> tuple[str, ...]:
    """Return the references of a column ``answers``; none where there is no such cell."""
    value = _cell(row, names, "answers")
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            value = False
    if value is None:
        return ()
    if isinstance(value, list):
        found = [one.get("answer") if isinstance(one, dict) else one for one in value]
        texts = [one.strip() for one in found if isinstance(one, str)]
        if len(texts) == len(found):
            return tuple(filter(None, texts))
    raise InputError(
        f'{path}: row {line}: `answers` must be a list of texts such as ["red", "maroon"]'
    )


def _pair(row: Row, names: Mapping[str, str], path: Path, line: int) -> QAPair:
    filename, question = _text(row, names, "filename"), _text(row, names, "question")
    answers = _several(row, names, path, line)
    split = _text(row, names, "split")
    if split and split not in SPLITS:
        raise InputError(f"{path}: row {line}: unknown split {split!r}; use {', '.join(SPLITS)}")
    try:
        return QAPair(
            id=_text(row, names, "id") or pair_id(filename, question),
            question=question,
            answer=_text(row, names, "answer") or most_frequent(answers),
            filename=filename,
            split=split or None,
            difficulty=_text(row, names, "difficulty"),
            provenance=Provenance(
                *(_text(row, names, name) for name in ("model", "prompt_version", "listing_id"))
            ),
            agreement=_text(row, names, "agreement"),
            answers=answers,
            second_answer=_text(row, names, "second_answer"),
            second_opinion=_text(row, names, "second_opinion"),
            boxes=parse_boxes(_cell(row, names, "boxes")),
            domain=_text(row, names, "domain"),
        )
    except ValueError as error:
        raise InputError(f"{path}: row {line}: {error}") from error


def _prediction(row: Row, names: Mapping[str, str], path: Path, line: int) -> Prediction | None:
    question = _text(row, names, "question") or f"row {line}"
    filename = _text(row, names, "filename") or f"row {line}"
    answers = _several(row, names, path, line)
    answer = _text(row, names, "answer") or most_frequent(answers)
    if not answer:
        return None
    try:
        boxes = parse_boxes(_cell(row, names, "boxes"))
    except ValueError as error:
        raise InputError(f"{path}: row {line}: {error}") from error
    return Prediction(
        pair=QAPair(
            id=_text(row, names, "id") or pair_id(filename, question),
            question=question,
            answer=answer,
            filename=filename,
            agreement=_text(row, names, "agreement"),
            answers=answers,
            boxes=boxes,
            domain=_text(row, names, "domain"),
        ),
        answer=_text(row, names, "prediction"),
        confidence=_number(row, names, "confidence"),
        grounding=_number(row, names, "grounding"),
        broken_image=_text(row, names, "broken_image").lower() in {"true", "1"},
        attention=_bytes(row, names, "attention"),
        grounding_boxes=_number(row, names, "grounding_boxes"),
    )


def _bytes(row: Row, names: Mapping[str, str], field: str) -> bytes:
    value = _cell(row, names, field)
    # Of CSV and JSON lines it can only be text, which holds no such thing.
    return value if isinstance(value, bytes) else b""


def most_frequent(answers: Sequence[str]) -> str:
    """Return what most people said, the first of those said equally often; "" for nobody."""
    return Counter(answers).most_common(1)[0][0] if answers else ""


def _number(row: Row, names: Mapping[str, str], field: str) -> float | None:
    text = _text(row, names, field)
    try:
        return float(text) if text else None
    except ValueError:
        return None
