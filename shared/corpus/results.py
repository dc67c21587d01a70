"""Results without references, as benchmarks take them in: joined to the data that was asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from shared.corpus.formats.tables import LeftOut
from shared.corpus.predictions import PredictionTable
from shared.corpus.rows import NO_COLUMNS, Fields, Table, read_table, require_some, say_left_out
from shared.corpus.shares import Shares
from shared.errors import InputError
from shared.program.reporting.event_log import EventLog
from shared.records import ANSWER_REVIEWS, Prediction, QAPair
from shared.records.columns import ColumnNames, column_key, columns_text

_NOT_ASKED: Final = "its question is not in the data"
_CONTRADICTED: Final = "its id is that of another question or image in the data"
_ANSWERED_IN: Final = ("text", "direct_answer")
"""Columns of predictions that are called so in results alone: LLaVA's, A-OKVQA's."""
log = EventLog(__name__)


def read_results(
    path: Path, asked: Sequence[QAPair], columns: ColumnNames = NO_COLUMNS
) -> PredictionTable:
    """Read predictions of which ``asked`` has the references.

    Results in the forms of VQA v2, VizWiz, GQA, DocVQA, A-OKVQA and LLaVA have an id, or an image,
    and an answer, which is the prediction. A row is the pair that has its image and question;
    failing that, its id; failing that, the only one about its image. An id that is a pair's with
    another question or image names no pair, which is told, as rows of the data without a
    prediction are; those are not scored.

    Raises:
        InputError: the file is unreadable, no row belongs to the data, or two rows differ about
            one question.
    """
    table = _with_predictions(read_table(path, (), columns))
    wanted = _Asked(asked)
    answers: dict[int, Prediction] = {}
    left_out, shares = list(table.raw.left_out), Shares()
    for fields in table.rows:
        place = wanted.place_of(fields)
        if isinstance(place, str):
            left_out.append(LeftOut(fields.line, place))
            continue
        prediction = Prediction(
            asked[place],
            fields.text("prediction"),
            shares.confidence(fields, "confidence"),
            answer_review=fields.word("answer_review", ANSWER_REVIEWS),
        )
        # Harnesses that share the work out answer some questions twice, alike.
        if answers.setdefault(place, prediction).answer != prediction.answer:
            raise fields.refused(
                f"answers {asked[place].id} again and differently; leave one answer to a question"
            )
    predictions = [answers[place] for place in sorted(answers)]
    require_some(path, predictions, left_out, "prediction")
    say_left_out(path, left_out)
    shares.say_wrong(path)
    _say_other_ids(path, wanted.other_ids)
    _say_unanswered(path, asked, answers)
    return PredictionTable(predictions, left_out)


def _with_predictions(table: Table) -> Table:
    """Return a table with the column of its predictions, which may be called the answer.

    Raises:
        InputError: it has none.
    """
    by_key = {column_key(name): name for name in table.raw.columns}
    others = (by_key[key] for key in map(column_key, _ANSWERED_IN) if key in by_key)
    candidates = (table.names.get("prediction"), table.names.get("answer"), *others)
    column = next(filter(None, candidates), None)
    if column is None:
        have = columns_text(table.raw.columns)
        raise InputError(
            f"{table.path}: no column of predictions; its columns: {have}; say which it is with "
            "--columns prediction=NAME"
        )
    return replace(table, names={**table.names, "prediction": column})


class _Asked:
    """The places of pairs, by what results may name them with.

    ``other_ids`` are those by which a row would have been another pair than its image and question
    say: an id may be a row's number, or the image's.
    """

    def __init__(self, pairs: Sequence[QAPair]) -> None:
        self._pairs = pairs
        self._by_id = _places((pair.id, place) for place, pair in enumerate(pairs))
        self._by_row = _places(
            ((pair.filename, _plain(pair.question)), place) for place, pair in enumerate(pairs)
        )
        self._by_image = _places((pair.filename, place) for place, pair in enumerate(pairs))
        self.other_ids: list[str] = []

    def place_of(self, fields: Fields) -> int | str:
        """Return which pair a row of results answers; the reason where nobody can tell."""
        row_id, image = fields.text("id"), fields.filename()
        by_id = self._by_id.get(row_id, ())
        by_row = self._by_row.get((image, _plain(fields.text("question"))), ())
        if len(by_row) == 1:
            if by_id and by_row[0] not in by_id:
                self.other_ids.append(row_id)
            return by_row[0]
        if len(by_id) == 1:
            return _CONTRADICTED if self._contradicted(by_id[0], fields) else by_id[0]
        by_image = self._by_image.get(image, ())
        return by_image[0] if len(by_image) == 1 else _NOT_ASKED

    def _contradicted(self, place: int, fields: Fields) -> bool:
        """Tell whether a row with the id of a pair asks another question, or shows another image.

        A row's question may be a whole prompt, with the question in it, or the data's may; its
        image may go by a name that the data does not use.
        """
        pair, image = self._pairs[place], fields.filename()
        if image in self._by_image and image != pair.filename:
            return True
        said, asked = _plain(fields.text("question")), _plain(pair.asks)
        return asked not in said and said not in asked


def _plain(question: str) -> str:
    """Return a question without what spelling adds: case, and how much space there is."""
    return " ".join(question.lower().split())


def _places(keyed: Iterable[tuple[Hashable, int]]) -> Mapping[Hashable, Sequence[int]]:
    places: dict[Hashable, list[int]] = defaultdict(list)
    for key, place in keyed:
        places[key].append(place)
    return places


def _say_other_ids(path: Path, ids: Sequence[str]) -> None:
    if ids:
        log.warning(
            "ids_are_others",
            file=path.name,
            rows=len(ids),
            first=ids[0],
            rows_are_told_apart_by="image and question",
        )


def _say_unanswered(path: Path, asked: Sequence[QAPair], answers: Mapping[int, Prediction]) -> None:
    splits = {prediction.pair.split for prediction in answers.values()}
    of = sum(pair.split in splits for pair in asked)
    if of > len(answers):
        log.warning(
            "questions_without_prediction",
            file=path.name,
            questions=of - len(answers),
            of=of,
            effect="they are not scored",
        )
