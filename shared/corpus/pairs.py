"""Question/answer pairs, and questions alone, in files and data set folders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shared.atomic import atomic_path
from shared.corpus.rows import Fields, Row, most_frequent, read_table, write_cells
from shared.errors import InputError
from shared.records import SPLITS, Provenance, QAPair, Question, pair_id

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
        ("product", pa.string()),
        ("unit_id", pa.string()),
    ]
)
CSV_PAIR_COLUMNS: Final = ("id", "question", "answer", "filename")


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
            # As beside an adapter.
            below = next(path.glob(f"*/{QA_FILE}"), None)
            hint = f"; give {below.parent}" if below else ""
            raise InputError(f"{path}: not a data set folder ({QA_FILE} is missing){hint}")
        path = path / QA_FILE
    pairs = [_pair(fields) for fields in read_table(path).named("answer", "question", "filename")]
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
    table = read_table(path)
    questions = []
    for fields in table.named("question", "filename"):
        try:
            questions.append(
                Question(str(fields.line), fields.text("question"), fields.text("filename"))
            )
        except ValueError as error:
            raise fields.refused(str(error)) from error
    if not questions:
        raise InputError(f"{path}: holds no questions")
    return QuestionTable(table.columns, table.rows, questions)


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
        "answers": answers_json(pair),
        "second_answer": pair.second_answer,
        "second_opinion": pair.second_opinion,
        "boxes": [box.edges for box in pair.boxes] or None,
        "domain": pair.domain or None,
        "product": pair.product or None,
        "unit_id": pair.unit_id or None,
    }


def answers_json(pair: QAPair) -> str | None:
    """Return a pair's several references as ``read_pairs`` reads them; ``None`` for none."""
    return json.dumps(pair.answers, ensure_ascii=False) if pair.answers else None


def _write_csv_pairs(pairs: Iterable[QAPair], part: Path) -> int:
    cells = ((pair.id, pair.question, pair.answer, pair.filename) for pair in pairs)
    return write_cells(CSV_PAIR_COLUMNS, cells, part)


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


def _pair(fields: Fields) -> QAPair:
    text = fields.text
    filename, question, split = text("filename"), text("question"), text("split")
    answers = fields.references()
    if split and split not in SPLITS:
        raise fields.refused(f"unknown split {split!r}; use {', '.join(SPLITS)}")
    boxes = fields.boxes()
    try:
        return QAPair(
            id=text("id") or pair_id(filename, question),
            question=question,
            answer=text("answer") or most_frequent(answers),
            filename=filename,
            split=split or None,
            difficulty=text("difficulty"),
            provenance=Provenance(text("model"), text("prompt_version"), text("listing_id")),
            agreement=text("agreement"),
            answers=answers,
            second_answer=text("second_answer"),
            second_opinion=text("second_opinion"),
            boxes=boxes,
            domain=text("domain"),
            product=text("product"),
            unit_id=text("unit_id"),
        )
    except ValueError as error:
        raise fields.refused(str(error)) from error
