"""The run folder: what stands where, and the only code that reads and writes it.

RUN/run.json              of ``record``: what made it
RUN/shards/shard-00012.parquet   answers of one shard, written when it is complete
RUN/status.json, run.lock  of ``status``
RUN/predictions.parquet   all answers, one column for each metric
RUN/predictions.csv       the same, for people
RUN/changes/turned=15.parquet    the same under a change of pictures or words, one file for each
RUN/scorecard.json        written last: a folder that has it is finished
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from evaluator.metrics.corpus import is_statistic
from evaluator.metrics.registry import label
from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.runs.record import EvaluationRecord, read_record
from evaluator.scoring.coverage import is_right
from evaluator.scoring.figures import Breakdown
from evaluator.scoring.robustness import ChangedAnswers
from evaluator.scoring.scorecard import Scorecard, read_scorecard, write_scorecard
from evaluator.scoring.sums.columns import Columns
from shared.corpus import (
    read_scored_predictions,
    write_predictions,
)
from shared.errors import InputError
from shared.files.contents import remove_parts
from shared.questions.answers import spaced
from shared.records import Prediction

SCORECARD_FILE: Final = "scorecard.json"
PARQUET_FILE: Final = "predictions.parquet"
CSV_FILE: Final = "predictions.csv"
SHARDS_FOLDER: Final = "shards"
CHANGES_FOLDER: Final = "changes"


RowKey = tuple[str, str, str]
"""What identifies a row: its image (or its id, where images have no names), question, reference."""


@dataclass(frozen=True)
class Run:
    """A finished run; ``columns`` has one score for each prediction.

    ``name`` is the one in its record, by default that of the folder. ``changed`` has the answers
    under each change, where the run's release kept them.
    """

    name: str
    record: EvaluationRecord
    scorecard: Scorecard
    predictions: Sequence[Prediction]
    columns: Columns
    changed: Mapping[str, ChangedAnswers] = field(default_factory=dict)

    @cached_property
    def right(self) -> Sequence[bool]:
        """Return for each prediction whether it is right; see ``is_right``."""
        return [is_right(prediction) for prediction in self.predictions]

    @cached_property
    def said(self) -> Sequence[tuple[str, str]]:
        """Return for each prediction question and reference, without what differs in spelling."""
        pairs = (prediction.pair for prediction in self.predictions)
        return [(spaced(pair.asks), spaced(pair.answer)) for pair in pairs]

    @cached_property
    def names_images(self) -> bool:
        """Tell whether every row names its image."""
        return all(prediction.pair.names_image for prediction in self.predictions)

    @cached_property
    def rows_by_image(self) -> Mapping[RowKey, Sequence[int]]:
        """Return the places of each row, told apart by its image, question and reference."""
        images = (prediction.pair.filename for prediction in self.predictions)
        return places_by_key((image, *said) for image, said in zip(images, self.said, strict=True))

    @cached_property
    def shown_scores(self) -> Sequence[tuple[str, Sequence[float]]]:
        """Return the scores of each metric but exact match, by its label; NaN where none is."""
        return [
            (label(name), column.tolist())
            for name, column in self.columns.items()
            if name != EXACT_MATCH.name
        ]

    @property
    def images(self) -> str | None:
        """Return the folder or URL below which the pictures lie, where the run knows it."""
        return self.record.images


def places_by_key(keys: Iterable[RowKey]) -> dict[RowKey, list[int]]:
    """Return the places at which each key stands, in order."""
    places: defaultdict[RowKey, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return dict(places)


def shard_path(folder: Path, index: int) -> Path:
    """Return where the answers of shard ``index`` belong."""
    return folder / SHARDS_FOLDER / f"shard-{index:05d}.parquet"


def require_free(folder: Path) -> None:
    """Check that a folder without a run's record has no file that a run would write over.

    Raises:
        InputError: it has one.
    """
    for name in (CSV_FILE, PARQUET_FILE, SCORECARD_FILE):
        if (folder / name).exists():
            raise InputError(
                f"--out {folder}: holds a {name} that would be written over; give another folder"
            )


def remove_leftovers(folder: Path) -> None:
    """Remove half-written files of a driver that was killed."""
    remove_parts(folder)
    remove_parts(folder / SHARDS_FOLDER)


def write_results(
    folder: Path, predictions: Sequence[Prediction], columns: Columns, scorecard: Scorecard
) -> None:
    """Write answers and scores, and last the scorecard that marks the run as finished."""
    values = _values(columns)
    write_predictions(predictions, folder / PARQUET_FILE, values)
    write_predictions(predictions, folder / CSV_FILE, values)
    for name, each in scorecard.robustness.items():
        if each.answers is not None:
            # What a model looked at lies with its shards.
            seen = [replace(row, attention=b"") for row in each.answers.predictions]
            write_predictions(seen, _change_path(folder, name), _values(each.answers.columns))
    write_scorecard(scorecard, folder / SCORECARD_FILE)


def _values(columns: Columns) -> dict[str, list[float]]:
    return {name: column.tolist() for name, column in columns.items() if not is_statistic(name)}


def _change_path(folder: Path, change: str) -> Path:
    return folder / CHANGES_FOLDER / f"{change}.parquet"


def read_run(folder: Path) -> Run:
    """Read a finished run.

    Raises:
        InputError: no run folder, or one that is not finished.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such run folder")
    if not (folder / SCORECARD_FILE).is_file():
        raise InputError(
            f"{folder}: has no {SCORECARD_FILE}; finish the run with `evaluator run`, or make one "
            "with `evaluator score --out`"
        )
    scorecard = read_scorecard(folder / SCORECARD_FILE)
    record = read_record(folder)
    predictions, columns = _read_answers(folder / PARQUET_FILE, scorecard.scores)
    changed = {
        name: ChangedAnswers(*_read_answers(path, each.scores))
        for name, each in scorecard.robustness.items()
        if (path := _change_path(folder, name)).is_file()
    }
    return Run(
        name=record.name or folder.resolve().name,
        record=record,
        scorecard=scorecard,
        predictions=predictions,
        columns=columns,
        changed=changed,
    )


def _read_answers(path: Path, scores: Breakdown) -> tuple[Sequence[Prediction], Columns]:
    """Return the answers in a file, and their scores by each metric."""
    predictions, columns = read_scored_predictions(path, list(scores.metrics))
    return predictions, {
        name: np.array(values, dtype=np.float64) for name, values in columns.items()
    }


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read several finished runs; where names are the same, their parents' names go before them.

    Raises:
        InputError: a folder is no finished run, or is given twice.
    """
    runs = [read_run(folder) for folder in folders]
    if len({run.name for run in runs}) == len(runs):
        return runs
    names = ["/".join(folder.resolve().parts[-2:]) for folder in folders]
    if len(set(names)) != len(names):
        raise InputError(f"{folders[0]}: run folders must differ; give each once")
    return [replace(run, name=name) for run, name in zip(runs, names, strict=True)]
