"""Answers single questions or a file of them with one replica in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluator.replica import Replica, ReplicaSettings
from evaluator.replies import Reply
from evaluator.shards import cut_shards
from shared.corpus import NO_COLUMNS, ColumnNames, QuestionTable, read_questions, write_csv_rows
from shared.errors import InputError
from shared.images.decoding import open_image
from shared.images.names import find_images
from shared.progress import report_progress
from shared.records import Question

ADDED_COLUMNS = ("prediction", "confidence", "broken_image")


def predict_one(settings: ReplicaSettings, image: Path, question: str) -> Reply:
    """Answer one question about one image file.

    Raises:
        InputError: the question is empty, or the image or the model cannot be read.
    """
    if not question.strip():
        raise InputError("--question: is empty")
    open_image(image)
    replica = Replica(replace(settings, images=str(image.parent)))
    [reply] = replica.answer([Question("1", question, image.name)])
    return reply


def predict_csv(
    settings: ReplicaSettings, table_path: Path, out: Path, columns: ColumnNames = NO_COLUMNS
) -> int:
    """Answer every row of a file and write it again with the answers beside; return how many.

    Raises:
        InputError: the file or the model cannot be read, or ``out`` cannot be written.
    """
    if out.suffix.lower() != ".csv":
        raise InputError(f"--out {out}: name a .csv file")
    table = read_questions(table_path, columns)
    found = find_images((question.filename for question in table.questions), settings.images)
    replica = Replica(settings)
    replies: dict[str, Reply] = {}
    with report_progress("answering", len(table.questions)) as progress:
        for shard in cut_shards(found.renamed(table.questions)):
            for reply in replica.answer(shard.questions):
                replies[reply.question_id] = reply
            progress.advance(len(shard.questions))
    kept = [column for column in table.columns if column not in ADDED_COLUMNS]
    write_csv_rows((*kept, *ADDED_COLUMNS), _answered_rows(table, replies), out)
    return len(replies)


def _answered_rows(table: QuestionTable, replies: Mapping[str, Reply]) -> list[dict[str, Any]]:
    rows = []
    for row, question in zip(table.rows, table.questions, strict=True):
        reply = replies[question.id]
        # Only the known columns: a CSV row with too many cells has one without a name.
        kept = {name: row.get(name) for name in table.columns if name not in ADDED_COLUMNS}
        rows.append(
            {
                **kept,
                "prediction": reply.answer,
                "confidence": reply.confidence,
                "broken_image": reply.broken_image,
            }
        )
    return rows
