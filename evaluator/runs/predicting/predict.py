"""Answers single questions or a file of them with one model, in this process or at an address."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evaluator.answering.messages import Answering, Reply
from evaluator.answering.shards import cut_shards
from evaluator.answering.sureness import Sureness, read_sureness, sure_cells
from evaluator.runs.predicting.benchmarks import Submission
from evaluator.runs.predicting.predictors import Predictor
from evaluator.runs.predicting.submissions import asked_for, write_submission
from evaluator.runs.rows.unseen import tell_unknown
from shared.corpus import NO_COLUMNS, ColumnNames, QuestionTable, read_questions, write_csv_rows
from shared.dataset.training_images import Recogniser
from shared.dataset.units import units_of
from shared.errors import InputError
from shared.files.contents import require_writable_file
from shared.images.decoding import open_image
from shared.images.fingerprints import Fingerprint, fingerprints, looks_of
from shared.images.names import find_images
from shared.images.source import image_source
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress
from shared.records import Question

log = EventLog(__name__)

ADDED_COLUMNS = ("prediction", "confidence", "broken_image")
SEEN_COLUMNS = TRAINED_ON, PRETRAINED_ON = ("trained_on", "pretrained_on")
"""Columns more, where it is known what the model was trained on; `evaluator score` heeds them."""
SURE_COLUMNS: Final = ("chance", "sure")
"""Columns more, where it is known from when on the model is sure; `curator review` heeds them."""
FAILURE: Final = "failure"
"""The column that says why there is no answer, where a model behind an address gave none."""
_OURS: Final = frozenset({FAILURE, *ADDED_COLUMNS, *SEEN_COLUMNS, *SURE_COLUMNS})


@dataclass(frozen=True)
class SurenessFile:
    """A file of `evaluator calibrate`, and what it holds."""

    path: Path
    sureness: Sureness


def read_sure(path: Path | None) -> SurenessFile | None:
    """Read the file of ``--sure``, if one is given.

    Raises:
        InputError: it is something else.
    """
    return None if path is None else SurenessFile(path, read_sureness(path))


def predict_one(
    predictor: Predictor, image: Path, question: str, sure: SurenessFile | None = None
) -> Reply:
    """Answer one question about one image file.

    Raises:
        InputError: the question is empty, or the image or the model cannot be read.
    """
    if not question.strip():
        raise InputError("--question: is empty")
    open_image(image)
    with predictor.answering(None) as model:
        _require_model(sure, model, predictor)
        [reply] = model.answer([Question("1", question, image.name)])
    return reply


def _require_model(sure: SurenessFile | None, model: Answering, predictor: Predictor) -> None:
    """Check that what is known of the model's sureness is known of this one."""
    if sure is not None:
        sure.sureness.require_model(sure.path, model.facts(), predictor.instruction)


def predict_csv(
    predictor: Predictor,
    table_path: Path,
    out: Path,
    columns: ColumnNames = NO_COLUMNS,
    sure: SurenessFile | None = None,
) -> int:
    """Answer every row of a file and write it again with the answers beside; return how many.

    Where it is known what the model was trained on, each row says whether its image was; where it
    is known from when on the model is sure, each row says whether it is.

    Raises:
        InputError: the file or the model cannot be read, or ``out`` cannot be written.
    """
    _require_out(out, ".csv", table_path)
    table = read_questions(table_path, columns)
    asked = _asked(predictor, table)
    seen = _seen(predictor, asked)
    with predictor.answering(out) as model:
        _require_model(sure, model, predictor)
        replies = _replies(model, asked)
        failed = [reply.failure for reply in replies.values() if reply.failure]
        if failed:
            log.warning("questions_without_an_answer", count=len(failed), because=failed[0])
        added = (*ADDED_COLUMNS, *((FAILURE,) if failed else ()))
        added = (*added, *(SURE_COLUMNS if sure else ()), *seen)
        own = [name for name in table.columns if name not in _OURS]
        marked = {
            column: {question.id for question in asked if question.filename in images}
            for column, images in seen.items()
        }
        rows = _answered_rows(table, own, replies, marked)
        if sure is not None:
            rows = [{**row, **sure_cells(sure.sureness, row["confidence"])} for row in rows]
        write_csv_rows((*own, *added), rows, out)
    return len(replies)


def predict_submission(
    predictor: Predictor,
    table_path: Path,
    out: Path,
    submission: Submission,
    columns: ColumnNames = NO_COLUMNS,
) -> int:
    """Answer every row of a file and write the answers as a benchmark takes them; return how many.

    Raises:
        InputError: the file or the model cannot be read, rows lack what a submission calls them
            by, or ``out`` cannot be written.
    """
    _require_out(out, ".json", table_path)
    table = read_questions(table_path, columns)
    names = asked_for(submission, table, table_path)
    asked = _asked(predictor, table)
    # Whoever sends these in has to be told what the model had been given before.
    _seen(predictor, asked)
    with predictor.answering(out) as model:
        replies = _replies(model, asked)
        answers = [replies[question.id].answer for question in table.questions]
        write_submission(submission, names, answers, out)
    return len(answers)


def _require_out(out: Path, suffix: str, table_path: Path) -> None:
    if out.suffix.lower() != suffix:
        raise InputError(f"--out {out}: name a {suffix} file")
    require_writable_file(out, "--out")
    if out.exists() and table_path.exists() and out.samefile(table_path):
        raise InputError(f"--out {out}: holds the questions themselves; name another file")


def _asked(predictor: Predictor, table: QuestionTable) -> Sequence[Question]:
    """Return the questions with the names of their images' files."""
    names = find_images((question.filename for question in table.questions), predictor.images)
    return names.renamed(table.questions)


def _replies(model: Answering, asked: Sequence[Question]) -> Mapping[str, Reply]:
    """Return the reply to each question by its id."""
    replies: dict[str, Reply] = {}
    with report_progress("answering", len(asked)) as progress:
        for shard in cut_shards(asked):
            for reply in model.answer(shard.questions):
                replies[reply.question_id] = reply
            progress.advance(len(shard.questions))
    return replies


def _seen(predictor: Predictor, asked: Sequence[Question]) -> dict[str, set[str]]:
    """Return the images that the model was trained on, by column, and say how many.

    Where nothing is known of them there is no column, nor one of pretraining without an image.
    """
    training = predictor.training()
    tell_unknown(training)
    if training.images is None:
        return {}
    names = {question.filename for question in asked}
    prints = fingerprints(image_source(predictor.images), names)
    units = units_of((), looks_of(prints))
    trained = _recognised(training.images.trained_on, units, prints)
    pretrained = _recognised(training.images.pretrained_on, units, prints) - trained
    if trained:
        log.warning(
            "images_trained_on",
            images=f"{len(trained):,} of {len(names):,}",
            became=f"answered, and marked in column {TRAINED_ON}; `evaluator score` leaves them "
            "out",
        )
    if not pretrained:
        return {TRAINED_ON: trained}
    log.warning(
        "images_pretrained_on",
        images=f"{len(pretrained):,} of {len(names):,}",
        became=f"answered, and marked in column {PRETRAINED_ON}; `evaluator score` scores them",
    )
    return {TRAINED_ON: trained, PRETRAINED_ON: pretrained}


def _recognised(
    images: Sequence[Fingerprint], units: Mapping[str, str], prints: Mapping[str, Fingerprint]
) -> set[str]:
    """Return the images that are known, and what looks like them."""
    recogniser = Recogniser(images)
    own = {name for name, fingerprint in prints.items() if recogniser.knows(fingerprint)}
    seen = {units[name] for name in own if name in units}
    return own | {name for name, unit in units.items() if unit in seen}


def _answered_rows(
    table: QuestionTable,
    columns: Sequence[str],
    replies: Mapping[str, Reply],
    marked: Mapping[str, Collection[str]],
) -> list[dict[str, Any]]:
    rows = []
    for row, question in zip(table.rows, table.questions, strict=True):
        reply = replies[question.id]
        # Only the known columns: a CSV row with too many cells has one without a name.
        own = {name: row.get(name) for name in columns}
        rows.append(
            {
                **own,
                "prediction": reply.answer,
                "confidence": reply.confidence,
                "broken_image": reply.broken_image,
                FAILURE: reply.failure,
                **{column: question.id in ids for column, ids in marked.items()},
            }
        )
    return rows
