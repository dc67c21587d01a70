"""Question/answer pairs, and questions alone, in files and data set folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from shared.corpus.extra_columns import cell_of, kind_of
from shared.corpus.formats.cells import shown
from shared.corpus.formats.tables import LeftOut, Row
from shared.corpus.rows import (
    NO_COLUMNS,
    Fields,
    Table,
    read_table,
    require_some,
    say_left_out,
    say_repeated_ids,
)
from shared.errors import InputError
from shared.records import (
    COLUMN_ALIASES,
    LABEL_REVIEWS,
    LABEL_SAMPLES,
    SPLIT_WORDS,
    SPLITS,
    Provenance,
    QAPair,
    Question,
    Split,
    pair_id,
)
from shared.records.column_kinds import ExtraColumns
from shared.records.columns import ColumnNames, column_key

QA_FILE: Final = "qa.parquet"
MANIFEST_FILE: Final = "manifest.json"
_NEEDED: Final = ("answer", "question", "filename")


@dataclass(frozen=True)
class PairTable:
    """The pairs of a file, and the rows that hold none."""

    pairs: Sequence[QAPair]
    left_out: Sequence[LeftOut]


def read_pairs(path: Path, columns: ColumnNames = NO_COLUMNS) -> list[QAPair]:
    """Read pairs as ``read_pair_table`` does, and say how many rows are left out.

    Raises:
        InputError: as ``read_pair_table``.
    """
    table = read_pair_table(path, columns)
    say_left_out(path, table.left_out)
    return list(table.pairs)


def read_pair_table(path: Path, columns: ColumnNames = NO_COLUMNS) -> PairTable:
    """Read pairs from a data set folder or from a CSV, JSON or Parquet file.

    Column names may be in any case and under the aliases of ``COLUMN_ALIASES``; rows without an
    id get ``shared.records.pair_id``. Rows with an empty question, answer or file name are left
    out. A cell that holds no text raises, and so does one of ``boxes`` that holds none.

    Raises:
        InputError: nothing readable is there, the needed columns are missing, or no row has what
            it takes.
    """
    path = _data_file(path)
    return _pairs_of(read_table(path, _NEEDED, columns), {})


def read_whole_pairs(
    path: Path, columns: ColumnNames = NO_COLUMNS
) -> tuple[PairTable, ExtraColumns]:
    """Read pairs as ``read_pair_table`` does, with what else their rows hold in ``extra``.

    Raises:
        InputError: as ``read_pair_table``.
    """
    path = _data_file(path)
    table = read_table(path, _NEEDED, columns)
    known = {column_key(name) for names in COLUMN_ALIASES.values() for name in names}
    others = [
        name
        for name in table.raw.columns
        if name and column_key(name) not in known and name not in table.names.values()
    ]
    extra = {name: kind_of([row.get(name) for row in table.raw.rows]) for name in others}
    return _pairs_of(table, extra), extra


def _pairs_of(table: Table, extra: ExtraColumns) -> PairTable:
    path = table.path
    pairs: list[QAPair] = []
    left_out = list(table.raw.left_out)
    for fields in table.rows:
        pair = _pair(fields)
        if isinstance(pair, LeftOut):
            left_out.append(pair)
        elif extra:
            cells = ((name, cell_of(fields.row.get(name), kind)) for name, kind in extra.items())
            pairs.append(replace(pair, extra=tuple(cells)))
        else:
            pairs.append(pair)
    require_some(path, pairs, left_out, "question/answer rows")
    if "id" in table.names:
        say_repeated_ids(path, ((pair.id, pair.filename, pair.question) for pair in pairs))
    return PairTable(pairs, left_out)


def _data_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    if (path / QA_FILE).is_file():
        return path / QA_FILE
    # As beside an adapter.
    below = next(path.glob(f"*/{QA_FILE}"), None)
    hint = f"; give {below.parent}" if below else ""
    if not hint and any(path.glob("*.parquet")):
        unpack = f"evaluator unpack --data {path} --out DIR"
        hint = f"; leave --images out, or `{unpack}` makes one table of it"
    raise InputError(f"{path}: not a data set folder ({QA_FILE} is missing){hint}")


@dataclass(frozen=True)
class QuestionTable:
    """Questions as a file holds them: all its columns, and one ``Question`` for each row used.

    ``ids`` are the file's own, "" where it has none; those of questions are numbers of rows.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    questions: Sequence[Question]
    ids: Sequence[str]


def read_questions(path: Path, columns: ColumnNames = NO_COLUMNS) -> QuestionTable:
    """Read questions about images, answers not needed, keeping every column.

    Raises:
        InputError: the file is unreadable, empty, or has no question or image column.
    """
    path = _data_file(path)
    table = read_table(path, ("question", "filename"), columns)
    left_out = list(table.raw.left_out)
    rows, questions, ids = [], [], []
    for fields in table.rows:
        text, filename = fields.text("question"), fields.filename()
        if text and filename:
            rows.append(fields.row)
            questions.append(Question(str(fields.line), text, filename))
            ids.append(fields.text("id"))
        else:
            left_out.append(LeftOut(fields.line, "no image name" if text else "no question"))
    require_some(path, questions, left_out, "questions")
    say_left_out(path, left_out)
    text_columns = [name for name in table.raw.columns if name not in table.raw.pictures]
    return QuestionTable(text_columns, rows, questions, ids)


def _pair(fields: Fields) -> QAPair | LeftOut:
    text = fields.text
    filename, question = fields.filename(), text("question")
    answer, answers = fields.answer_and_references()
    for there, what in ((question, "question"), (answer, "answer"), (filename, "image name")):
        if not there:
            return LeftOut(fields.line, f"no {what}")
    return QAPair(
        id=text("id") or pair_id(filename, question),
        question=question,
        answer=answer,
        filename=filename,
        split=_split(fields),
        difficulty=text("difficulty"),
        provenance=Provenance(text("model"), text("prompt_version"), text("listing_id")),
        agreement=text("agreement"),
        answers=answers,
        second_answer=text("second_answer"),
        second_opinion=text("second_opinion"),
        label_review=fields.word("label_review", LABEL_REVIEWS),
        label_before_review=text("label_before_review"),
        label_sample=fields.word("label_sample", LABEL_SAMPLES),
        boxes=fields.boxes(),
        domain=text("domain"),
        product=text("product"),
        unit_id=text("unit_id"),
    )


def _split(fields: Fields) -> Split | None:
    word = fields.text("split")
    split = SPLIT_WORDS.get(word.lower().rstrip("0123456789_- "))
    if word and split is None:
        raise fields.refused(
            f"unknown split {shown(word)}; use {', '.join(SPLITS)}, or give --columns split= to do "
            "without"
        )
    return split
