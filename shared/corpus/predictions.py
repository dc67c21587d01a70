"""Predictions, with their references and their scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.lib
import pyarrow.parquet as pq

from shared.corpus.csv_writing import write_columns
from shared.corpus.formats.arrow_arrays import array_of
from shared.corpus.formats.tables import LeftOut
from shared.corpus.rows import (
    NO_COLUMNS,
    Fields,
    Table,
    number_columns,
    read_table,
    require_some,
    say_left_out,
    say_repeated_ids,
)
from shared.corpus.shares import Shares
from shared.errors import InputError
from shared.files.atomic import atomic_path
from shared.program.reporting.event_log import EventLog
from shared.records import (
    ANSWER_REVIEWS,
    LABEL_REVIEWS,
    LABEL_SAMPLES,
    Prediction,
    Provenance,
    QAPair,
    pair_id,
    unnamed_image,
)
from shared.records.boxes import Box, boxes_json
from shared.records.columns import ColumnNames
from shared.records.pair_rows import answers_json

NO_REFERENCE: Final = "no reference answer"
_NEEDED: Final = ("answer", "prediction")
_NO_PROVENANCE: Final = Provenance()

log = EventLog(__name__)


@dataclass(frozen=True)
class PredictionTable:
    """Predictions that can be scored, and the rows that cannot, such as for want of a reference."""

    predictions: Sequence[Prediction]
    left_out: Sequence[LeftOut]


def read_predictions(path: Path) -> list[Prediction]:
    """Read what ``write_predictions`` wrote: each row has its reference.

    Raises:
        InputError: as ``read_prediction_table``, or a row has no reference.
    """
    predictions, _ = read_scored_predictions(path, ())
    return predictions


def read_scored_predictions(
    path: Path, names: Sequence[str]
) -> tuple[list[Prediction], dict[str, list[float | None]]]:
    """Read what ``write_predictions`` wrote, with the columns ``names`` of its metrics.

    Returns:
        The predictions, and for each name one score a prediction; ``None`` where there is none.

    Raises:
        InputError: as ``read_prediction_table``, a row has no reference, or a column of ``names``
            is missing or holds something else.
    """
    table = read_table(path, _NEEDED)
    columns = number_columns(path, table.raw, names)
    # Of someone else's cells that are no shares, the command that scored them has told.
    read = _predictions(table, Shares())
    for row in read.left_out:
        raise InputError(f"{path}: row {row.row}: {row.reason}; mend or remove it")
    return list(read.predictions), columns


def read_prediction_table(path: Path, columns: ColumnNames = NO_COLUMNS) -> PredictionTable:
    """Read anyone's predictions with their references from a CSV, JSON or Parquet file.

    Text is taken as it stands: "none", "nan" and "NA" are answers, not missing cells. An empty
    prediction is kept (it is a wrong answer). A row without a reference cannot be scored and is
    left out, which is said, as are confidences that are no number from 0 to 1. A file without a
    column of images takes each row for an image of its own. Several references stand in a column
    ``answers``: a list, in CSV written as text, of texts or of VQA v2's objects with ``answer``;
    ``answer`` may then be missing.

    Raises:
        InputError: the file is unreadable, has no answer or prediction column, or no row that can
            be scored.
    """
    shares = Shares()
    table = _predictions(read_table(path, _NEEDED, columns), shares)
    say_left_out(path, table.left_out)
    shares.say_wrong(path)
    pairs = [prediction.pair for prediction in table.predictions]
    # An id that was made of a row's image and question repeats with these alone.
    say_repeated_ids(path, ((pair.id, pair.filename, pair.question) for pair in pairs))
    unnamed = sum(not p.pair.names_image for p in table.predictions)
    if unnamed:
        log.warning(
            "no_image_names",
            file=path.name,
            rows=unnamed,
            effect="each of these rows counts as an image of its own: intervals are over rows",
        )
    return table


def _predictions(table: Table, shares: Shares) -> PredictionTable:
    # Of twenty fields that a row may have, most files have a few; only these are asked for.
    of_pair = {name: read for name, read in _OF_PAIR.items() if name in table.names}
    readers = {**_OF_ANSWER, **_of_shares(shares)}
    of_answer = {name: read for name, read in readers.items() if name in table.names}
    predictions: list[Prediction] = []
    left_out = list(table.raw.left_out)
    for fields in table.rows:
        prediction = _prediction(fields, of_pair, of_answer)
        if isinstance(prediction, LeftOut):
            left_out.append(prediction)
        else:
            predictions.append(prediction)
    require_some(table.path, predictions, left_out, "prediction")
    return PredictionTable(predictions, left_out)


def count_predictions(path: Path) -> int:
    """Return how many predictions a Parquet file holds, without reading them.

    Raises:
        InputError: the file is missing or no Parquet.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pyarrow.lib.ArrowException) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error


def write_predictions(
    predictions: Sequence[Prediction], path: Path, columns: Mapping[str, Sequence[float]]
) -> None:
    """Write predictions as ``.csv`` or ``.parquet`` with one extra column for each metric.

    Only Parquet holds where the model looked.

    Raises:
        InputError: another suffix, or a place that cannot be written.
    """
    table = _columns_of(predictions, columns)
    with atomic_path(path) as part:
        if path.suffix == ".parquet":
            if any(p.attention for p in predictions):
                table["attention"] = pa.binary(), [p.attention for p in predictions]
            arrays = [array_of(cells, kind) for kind, cells in table.values()]
            pq.write_table(pa.Table.from_arrays(arrays, list(table)), part, compression="zstd")
        elif path.suffix == ".csv":
            texts = [_texts(cells, kind) for kind, cells in table.values()]
            write_columns(list(table), [texts] if predictions else [], part)
        else:
            raise InputError(f"{path}: cannot tell the format; use .csv or .parquet")


def _columns_of(
    predictions: Sequence[Prediction], columns: Mapping[str, Sequence[float]]
) -> dict[str, tuple[pa.DataType, Sequence[Any]]]:
    """Return the kind and the cells of each column that is written."""
    pairs = [p.pair for p in predictions]
    table: dict[str, tuple[pa.DataType, Sequence[Any]]] = {
        "id": (pa.string(), [pair.id for pair in pairs]),
        "filename": (pa.string(), [pair.filename for pair in pairs]),
        "question": (pa.string(), [pair.question for pair in pairs]),
        "answer": (pa.string(), [pair.answer for pair in pairs]),
        "prediction": (pa.string(), [p.answer for p in predictions]),
        "confidence": (pa.float64(), [p.confidence for p in predictions]),
        "grounding": (pa.float64(), [p.grounding for p in predictions]),
        "broken_image": (pa.bool_(), [p.broken_image for p in predictions]),
    }
    sometimes: dict[str, Sequence[str]] = {
        "failure": [p.failure for p in predictions],
        "agreement": [pair.agreement for pair in pairs],
        "domain": [pair.domain for pair in pairs],
        "answer_review": [p.answer_review for p in predictions],
    }
    table |= {name: (pa.string(), cells) for name, cells in sometimes.items() if any(cells)}
    for name, cells in _origin(predictions).items():
        table[name] = pa.bool_() if isinstance(cells[0], bool) else pa.string(), cells
    if any(pair.answers for pair in pairs):
        table["answers"] = pa.string(), [answers_json(pair) for pair in pairs]
    if any(pair.boxes for pair in pairs):
        table["boxes"] = pa.string(), [boxes_json(pair.boxes) for pair in pairs]
        table["grounding_boxes"] = pa.float64(), [p.grounding_boxes for p in predictions]
    for name, values in columns.items():
        table[name] = pa.float64(), [None if math.isnan(value) else value for value in values]
    return table


def _texts(cells: Sequence[Any], kind: pa.DataType) -> Sequence[str]:
    """Return cells as CSV has them; nothing for ``None``."""
    if kind == pa.string():
        return cells
    if kind == pa.float64():
        return ["" if cell is None else repr(float(cell)) for cell in cells]
    return list(map(str, cells))


def _origin(predictions: Sequence[Prediction]) -> dict[str, Sequence[object]]:
    """Return the columns, of those that any row fills, that say what a row stands for."""
    columns: dict[str, Sequence[object]] = {
        "product": [p.pair.product for p in predictions],
        "listing_id": [p.pair.provenance.listing_id for p in predictions],
        "unit_id": [p.pair.unit_id for p in predictions],
        "label_review": [p.pair.label_review for p in predictions],
        "label_before_review": [p.pair.label_before_review for p in predictions],
        "label_sample": [p.pair.label_sample for p in predictions],
        "trained_on": [p.pair.trained_on for p in predictions],
        "pretrained_on": [p.pair.pretrained_on for p in predictions],
    }
    return {name: cells for name, cells in columns.items() if any(cells)}


def _prediction(fields: Fields, of_pair: _Readers, of_answer: _Readers) -> Prediction | LeftOut:
    text = fields.text
    question = text("question") or unnamed_image(fields.line)
    filename = fields.filename() or unnamed_image(fields.line)
    answer, answers = fields.answer_and_references()
    if not answer:
        return LeftOut(fields.line, NO_REFERENCE)
    if fields.names["prediction"] not in fields.row:
        return LeftOut(fields.line, "fewer cells than the header")
    listing_id = text("listing_id")
    pair = QAPair(
        id=text("id") or pair_id(filename, question),
        question=question,
        answer=answer,
        filename=filename,
        answers=answers,
        provenance=Provenance(listing_id=listing_id) if listing_id else _NO_PROVENANCE,
        **{name: read(fields, name) for name, read in of_pair.items()},
    )
    others = {name: read(fields, name) for name, read in of_answer.items()}
    return Prediction(pair=pair, answer=text("prediction"), **others)


_Readers = Mapping[str, Callable[[Fields, str], Any]]
"""How a field is read that a row need not have, by the name that it has in the record too."""


def _of_shares(shares: Shares) -> _Readers:
    named = dict.fromkeys(("grounding", "grounding_boxes"), shares.share)
    return {"confidence": shares.confidence, **named}


def _one_of(known: Sequence[str]) -> Callable[[Fields, str], str]:
    return lambda fields, name: fields.word(name, known)


def _boxes(fields: Fields, _: str) -> tuple[Box, ...]:
    return fields.boxes()


_OF_PAIR: Final[_Readers] = {
    "agreement": Fields.text,
    "boxes": _boxes,
    "domain": Fields.text,
    "product": Fields.text,
    "unit_id": Fields.text,
    "label_review": _one_of(LABEL_REVIEWS),
    "label_before_review": Fields.text,
    "label_sample": _one_of(LABEL_SAMPLES),
    "trained_on": Fields.truth,
    "pretrained_on": Fields.truth,
}
_OF_ANSWER: Final[_Readers] = {
    "broken_image": Fields.truth,
    "attention": Fields.packed,
    "failure": Fields.text,
    "answer_review": _one_of(ANSWER_REVIEWS),
}
