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
from shared.errors import InputError
from shared.program.reporting.event_log import EventLog
from shared.records import Prediction, QAPair
from shared.records.columns import ColumnNames, column_key, shown

_NOT_ASKED: Final = "its question is not in the data"
_ANSWERED_IN: Final = ("text", "direct_answer")
"""Columns of predictions that are called so in results alone: LLaVA's, A-OKVQA's."""
log = EventLog(__name__)


def read_results(
    path: Path, asked: Sequence[QAPair], columns: ColumnNames = NO_COLUMNS
) -> PredictionTable:
    """Read predictions of which ``asked`` has the references.

    Results in the forms of VQA v2, VizWiz, GQA, DocVQA, A-OKVQA and LLaVA have an id, or an image,
    and an answer, which is the prediction. A row is the pair that has its id; failing that, its
    image and question; failing that, the only one about its image. Rows of the data without a
    prediction are not scored, and are told.

    Raises:
        InputError: the file is unreadable, no row belongs to the data, or two rows differ about
            one question.
    """
    table = _with_predictions(read_table(path, (), columns))
    wanted = _Asked(asked)
    answers: dict[int, Prediction] = {}
    left_out = list(table.raw.left_out)
    for fields in table.rows:
        place = wanted.place_of(fields)
        if place is None:
            left_out.append(LeftOut(fields.line, _NOT_ASKED))
            continue
        prediction = Prediction(
            asked[place], fields.text("prediction"), fields.number("confidence")
        )
        # Harnesses that share the work out answer some questions twice, alike.
        if answers.setdefault(place, prediction).answer != prediction.answer:
            raise fields.refused(
                f"answers {asked[place].id} again and differently; leave one answer to a question"
            )
    predictions = [answers[place] for place in sorted(answers)]
    require_some(path, predictions, left_out, "prediction")
    say_left_out(path, left_out)
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
        have = shown(table.raw.columns)
        raise InputError(
            f"{table.path}: no column of predictions; its columns: {have}; say which it is with "
            "--columns prediction=NAME"
        )
    return replace(table, names={**table.names, "prediction": column})


class _Asked:
    """The places of pairs, by what results may name them with."""

    def __init__(self, pairs: Sequence[QAPair]) -> None:
        self._by_id = _places((pair.id, place) for place, pair in enumerate(pairs))
        self._by_row = _places(
            ((pair.filename, pair.question), place) for place, pair in enumerate(pairs)
        )
        self._by_image = _places((pair.filename, place) for place, pair in enumerate(pairs))

    def place_of(self, fields: Fields) -> int | None:
        """Return which pair a row of results answers; ``None`` where nobody can tell."""
        image, question = fields.filename(), fields.text("question")
        for places in (
            self._by_id.get(fields.text("id"), ()),
            self._by_row.get((image, question), ()),
            self._by_image.get(image, ()),
        ):
            if len(places) == 1:
                return places[0]
        return None


def _places(keyed: Iterable[tuple[Hashable, int]]) -> Mapping[Hashable, Sequence[int]]:
    places: dict[Hashable, list[int]] = defaultdict(list)
    for key, place in keyed:
        places[key].append(place)
    return places


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
