"""Scores files of predictions that anyone made: no model, no Ray."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from evaluator.judging.asked_for import finished_by, judge_for, require_judge_for
from evaluator.metrics.loading import load_text_models, require_text_models
from evaluator.metrics.metric import Metric
from evaluator.metrics.text_models.judging import Judging
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.runs.folder import SCORECARD_FILE, require_free, write_results
from evaluator.runs.places import last_name
from evaluator.runs.record import EvaluationRecord, read_record, write_record
from evaluator.runs.rows.selection import refuse_leak, training_pairs
from evaluator.runs.rows.trained_on import TrainedOn, counted, tell
from evaluator.runs.settings import ScoreSettings, ScoringSettings
from evaluator.scoring.scorecard import Scorecard, read_scorecard
from evaluator.scoring.scoring import measured_metrics, score_predictions
from evaluator.scoring.sums.columns import Columns
from shared.corpus import (
    ColumnNames,
    pairs_digest,
    read_pairs,
    read_prediction_table,
)
from shared.corpus.results import read_results
from shared.errors import InputError
from shared.files.contents import require_writable_folder
from shared.files.digests import file_digest
from shared.images.names import find_images
from shared.images.stores import local_data, local_images
from shared.program.clock import Clock
from shared.program.reporting.progress import report_progress
from shared.records import Prediction, QAPair

_OF_ANSWERS: Final = {"predictions_sha256": "answers", "references_from": "references"}
"""What tells the answers in a folder, and what they are scored against, from others."""


@dataclass(frozen=True)
class ScoredFile:
    """What one file of predictions scored."""

    predictions: Sequence[Prediction]
    columns: Columns
    scorecard: Scorecard


def score_files(settings: ScoreSettings, clock: Clock) -> dict[str, ScoredFile]:
    """Score each file; the names are those of the files, longer where they would be the same.

    Raises:
        InputError: a file or model cannot be used, training data holds images of a scored file, or
            the folder to write holds another run.
    """
    named, columns = settings.named_metrics, settings.named_columns
    judge = judge_for(settings.judge_options, clock)
    asked = None if settings.data is None else read_pairs(local_data(settings.data))
    images = None if settings.images is None else local_images(settings.images)
    files = {
        name: _read(name, path, settings, columns, asked=asked, images=images)
        for name, path in _named([local_data(place) for place in settings.predictions]).items()
    }
    if settings.out is not None:
        _require_own(files, settings.out)
    train_pairs = None
    if settings.train is not None:
        train = local_data(settings.train)
        train_pairs = training_pairs(train, images, columns)
        for file in files.values():
            refuse_leak(file.path, [row.pair for row in file.rows], train, train_pairs)
    chosen = {
        name: named or settings.with_judge(measured_metrics(file.rows))
        for name, file in files.items()
    }
    if judge is not None:
        # Before models are loaded: that takes longer than to look.
        require_judge_for(judge, [row for file in files.values() for row in file.rows])
    text_models = text_models_for(
        {metric for metrics in chosen.values() for metric in metrics},
        settings,
        images,
        judge,
    )
    scored = {}
    with report_progress("scoring files", len(files)) as progress:
        for name, file in files.items():
            if judge is not None:
                judge.start_anew()
            scorecard, scores = score_predictions(
                file.rows,
                metrics=chosen[name],
                text_models=text_models,
                train_pairs=train_pairs,
                provenance={
                    **file.provenance,
                    "prior_from": None if settings.train is None else last_name(settings.train),
                },
            )
            scorecard = finished_by(judge)(scorecard, file.rows)
            scored[name] = ScoredFile(file.rows, scores, scorecard)
            progress.advance()
    return scored


def text_models_for(
    metrics: Collection[Metric],
    settings: ScoringSettings,
    images: str | None,
    judge: Judging | None,
) -> TextModels:
    """Load the models that ``metrics`` need, as ``settings`` name them.

    Raises:
        InputError: see ``load_text_models``.
    """
    return load_text_models(
        metrics,
        sentence_model=settings.sentence_model,
        bertscore_model=settings.bertscore_model,
        bertscore_layers=settings.bertscore_layers,
        number_words=settings.number_words,
        clip_model=settings.clip_model,
        clip_weights=settings.clip_weights,
        images=images,
        judge=judge,
    )


def require_models(metrics: Collection[Metric], settings: ScoringSettings) -> None:
    """Look for the models that ``metrics`` will need; see ``text_models_for``.

    Raises:
        InputError: see ``require_text_models``.
    """
    require_text_models(
        metrics,
        sentence_model=settings.sentence_model,
        bertscore_model=settings.bertscore_model,
        bertscore_layers=settings.bertscore_layers,
        clip_model=settings.clip_model,
        clip_weights=settings.clip_weights,
    )


@dataclass(frozen=True)
class _PredictionFile:
    """A file's rows to score, and what a scorecard says of where they come from."""

    path: Path
    rows: Sequence[Prediction]
    provenance: Mapping[str, Any]


def _read(
    name: str,
    path: Path,
    settings: ScoreSettings,
    columns: ColumnNames,
    *,
    asked: Sequence[QAPair] | None,
    images: str | None,
) -> _PredictionFile:
    """Read a file of predictions; ``asked`` are the pairs of the data that they answer."""
    if asked is None:
        table = read_prediction_table(path, columns)
    else:
        table = read_results(path, asked, columns)
    predictions = _with_files(table.predictions, images)
    rows, trained_on = _heeding(name, predictions, settings.trained_on)
    return _PredictionFile(
        path,
        rows,
        {
            "predictions": path.name,
            "predictions_sha256": file_digest(path),
            "trained_on": trained_on,
            "references_from": None if settings.data is None else last_name(settings.data),
            "rows_left_out": len(table.left_out),
        },
    )


def _with_files(predictions: Sequence[Prediction], images: str | None) -> Sequence[Prediction]:
    """Return predictions whose images are named as the files below ``images`` are."""
    if images is None:
        return predictions
    named = (prediction.pair.filename for prediction in predictions if prediction.pair.names_image)
    pairs = find_images(named, images).renamed(prediction.pair for prediction in predictions)
    return [
        replace(prediction, pair=pair) for prediction, pair in zip(predictions, pairs, strict=True)
    ]


def _heeding(
    name: str, predictions: Sequence[Prediction], trained_on: TrainedOn
) -> tuple[Sequence[Prediction], Mapping[str, Any] | None]:
    """Return the rows to score of those that say which images were trained on, and the counts.

    Raises:
        InputError: nothing is left.
    """
    pairs = [prediction.pair for prediction in predictions]
    if not any(pair.trained_on or pair.pretrained_on for pair in pairs):
        return predictions, None
    included = trained_on is TrainedOn.INCLUDED
    scored = [row for row in predictions if included or not row.pair.trained_on]
    facts = counted(
        pairs, [row.pair for row in scored], trained_on, asked_sha256=pairs_digest(pairs)
    )
    tell(facts, name)
    return scored, asdict(facts)


def write_run_folders(
    scored: Mapping[str, ScoredFile], out: Path, settings: ScoreSettings, now: float
) -> dict[str, Path]:
    """Write a run folder for each scored file: ``out`` itself for one, below it for several.

    ``now`` is the time, in seconds since the epoch.
    """
    folders = _folders(scored, out)
    whole = settings.whole()
    for name, file in scored.items():
        record = EvaluationRecord(
            command="evaluator score",
            name=name,
            images=None if whole.images is None else local_images(whole.images),
            settings=whole,
            scored_at=now,
        )
        write_record(folders[name], record)
        write_results(folders[name], file.predictions, file.columns, file.scorecard)
    return folders


def _folders(names: Collection[str], out: Path) -> dict[str, Path]:
    return {name: out if len(names) == 1 else out / name for name in names}


def _require_own(files: Mapping[str, _PredictionFile], out: Path) -> None:
    """Check that no folder holds another run: the same file may be scored there once more.

    Raises:
        InputError: one does, has files that no run wrote, or is a file.
    """
    for name, folder in _folders(files, out).items():
        require_writable_folder(folder, "--out")
        record = read_record(folder)
        if record == EvaluationRecord() and not (folder / SCORECARD_FILE).is_file():
            require_free(folder)
            continue
        what = ""
        if record.command not in {"", "evaluator score"}:
            what = f"holds a run of `{record.command}`"
        elif (folder / SCORECARD_FILE).is_file():
            before = read_scorecard(folder / SCORECARD_FILE).provenance
            now = files[name].provenance
            others = [what for fact, what in _OF_ANSWERS.items() if before.get(fact) != now[fact]]
            what = f"holds a run of other {' and '.join(others)}" if others else ""
        if what:
            raise InputError(f"--out {folder}: {what}; give another folder")


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    for parts in (1, 2):
        names = ["-".join((*path.resolve().parts[-parts:-1], path.stem)) for path in paths]
        if len(set(names)) == len(paths):
            return dict(zip(names, paths, strict=True))
    raise InputError("two of the files have the same name and folder; give each file once")
