"""Scores files of predictions that anyone made: no model, no Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evaluator.metrics.choice import Metric
from evaluator.metrics.loading import load_text_models
from evaluator.runs.folder import write_results, write_settings
from evaluator.runs.trained_on import TrainedOn, counted, tell
from evaluator.scoring.scorecard import Scorecard
from evaluator.scoring.scoring import Columns, default_metrics, score_predictions
from shared.corpus import (
    NO_COLUMNS,
    ColumnNames,
    pairs_digest,
    read_pairs,
    read_prediction_table,
)
from shared.errors import InputError
from shared.files.digests import file_digest
from shared.images.names import find_images
from shared.program.progress import report_progress
from shared.records import Prediction, QAPair


@dataclass(frozen=True)
class TextModelNames:
    """Which text models to load and how to use them, see ``load_text_models``."""

    sentences: str
    bertscore: str
    bertscore_layers: int | None
    number_words: bool = False
    clip_model: str = ""
    clip_weights: str = ""


@dataclass(frozen=True)
class ScoredFile:
    """What one file of predictions scored."""

    predictions: Sequence[Prediction]
    columns: Columns
    scorecard: Scorecard


def score_files(
    paths: Sequence[Path],
    *,
    metrics: Sequence[Metric] | None,
    models: TextModelNames,
    train: Path | None,
    images: Path | None = None,
    columns: ColumnNames = NO_COLUMNS,
    trained_on: TrainedOn = TrainedOn.LEFT_OUT,
) -> dict[str, ScoredFile]:
    """Score each file; the names are those of the files, longer where they would be the same.

    Args:
        paths: files of predictions and references.
        metrics: what to compute; by default the report's, VTGS where a file has the regions.
        models: the text models.
        train: data that the question-only prior learns from.
        images: where the pictures lie, for ``vtgs_clip``.
        columns: columns that go by no name that is known.
        trained_on: what to do with rows that say that the model was trained on their image.

    Raises:
        InputError: a file or model cannot be used, or training data holds images of a scored file.
    """
    tables = {name: read_prediction_table(path, columns) for name, path in _named(paths).items()}
    heeded = {
        name: _heeding(name, _with_files(table.predictions, images), trained_on)
        for name, table in tables.items()
    }
    answers = {name: rows for name, (rows, _) in heeded.items()}
    train_pairs = None if train is None else training_pairs(train, images, columns)
    chosen = {name: metrics or default_metrics(rows) for name, rows in answers.items()}
    for path, rows in zip(paths, answers.values(), strict=True):
        if train is not None:
            refuse_leak(path, [row.pair for row in rows], train, train_pairs or ())
    text_models = load_text_models(
        {metric for some in chosen.values() for metric in some},
        sentence_model=models.sentences,
        bertscore_model=models.bertscore,
        bertscore_layers=models.bertscore_layers,
        number_words=models.number_words,
        clip_model=models.clip_model,
        clip_weights=models.clip_weights,
        images=None if images is None else str(images),
    )
    scored = {}
    with report_progress("scoring files", len(paths)) as progress:
        for path, (name, rows) in zip(paths, answers.items(), strict=True):
            scorecard, scores = score_predictions(
                rows,
                metrics=chosen[name],
                text_models=text_models,
                train_pairs=train_pairs,
                provenance={
                    "predictions": path.name,
                    "predictions_sha256": file_digest(path),
                    "trained_on": heeded[name][1],
                    "rows_left_out": len(tables[name].left_out),
                    "prior_from": None if train is None else train.name,
                },
            )
            scored[name] = ScoredFile(rows, scores, scorecard)
            progress.advance()
    return scored


def _with_files(predictions: Sequence[Prediction], images: Path | None) -> Sequence[Prediction]:
    """Return predictions whose images are named as the files below ``images`` are."""
    if images is None:
        return predictions
    named = (prediction.pair.filename for prediction in predictions if prediction.pair.names_image)
    pairs = find_images(named, images).renamed(prediction.pair for prediction in predictions)
    return [replace(one, pair=pair) for one, pair in zip(predictions, pairs, strict=True)]


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


def training_pairs(
    path: Path, images: Path | str | None = None, columns: ColumnNames = NO_COLUMNS
) -> list[QAPair]:
    """Return the training split of a data set, or all pairs where it has no splits.

    Where ``images`` is given, pairs come to name the files in it, so that leaks are seen.

    Raises:
        InputError: the data has splits but no training pair.
    """
    pairs = read_pairs(path, {field: columns[field] for field in columns if field != "prediction"})
    if images is not None:
        pairs = find_images((pair.filename for pair in pairs), images).renamed(pairs)
    if all(pair.split is None for pair in pairs):
        return pairs
    chosen = [pair for pair in pairs if pair.split == "train"]
    if not chosen:
        raise InputError(f"{path}: has no pair in split 'train' for the question-only prior")
    return chosen


def refuse_leak(
    path: Path, scored: Sequence[QAPair], train: Path, train_pairs: Sequence[QAPair]
) -> None:
    """See that the prior learns from no image that is scored.

    Raises:
        InputError: ``train`` holds images of ``path``.
    """
    common = {pair.filename for pair in scored} & {pair.filename for pair in train_pairs}
    if common:
        raise InputError(
            f"--train {train}: holds {len(common)} of the images scored in {path}; "
            "a prior must not learn from them: give a training set split by product"
        )


def write_run_folders(
    scored: Mapping[str, ScoredFile], out: Path, images: Path | None, arguments: Sequence[str] = ()
) -> dict[str, Path]:
    """Write a run folder for each scored file: ``out`` itself for one, below it for several.

    ``arguments`` of the command line are kept for the report.
    """
    folders = {name: out if len(scored) == 1 else out / name for name in scored}
    for name, one in scored.items():
        settings = {
            "command": "evaluator score",
            "name": name,
            "images": None if images is None else str(images.resolve()),
            "arguments": list(arguments),
        }
        write_settings(folders[name], settings)
        write_results(folders[name], one.predictions, one.columns, one.scorecard)
    return folders


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    for parts in (1, 2):
        names = ["-".join((*path.resolve().parts[-parts:-1], path.stem)) for path in paths]
        if len(set(names)) == len(paths):
            return dict(zip(names, paths, strict=True))
    raise InputError("two of the files have the same name and folder; give each file once")
