"""Small finished runs with pictures, for the tests of what reads them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from evaluator.answering.attention import pack_attention
from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.runs.folder import Run, read_run, write_results
from evaluator.runs.record import EvaluationRecord, write_record
from evaluator.scoring.scoring import score_predictions
from shared.records import Prediction, QAPair
from tests.evaluator.predictions import predicted

COLOURS = ("red", "green", "blue", "black")
HEAT = np.linspace(0, 1, 16, dtype=np.float32)
TRAIN = [QAPair("t", "what color is the shape", "red", "train.jpg")]


def draw_images(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for index in range(count):
        Image.new("RGB", (300, 200), COLOURS[index % 4]).save(folder / f"{index}.png")


def answers(count: int, wrong: Sequence[int]) -> list[Prediction]:
    def looked(index: int) -> bytes:
        return pack_attention(*(np.roll(field, index) for field in (HEAT, HEAT > 0.5, HEAT > 0.2)))

    rows = [
        predicted(
            "none" if index in wrong else COLOURS[index % 4],
            COLOURS[index % 4],
            image=f"{index}.png",
            question="what color is the shape" if index % 2 else "is it round?",
        )
        for index in range(count)
    ]
    return [
        replace(row, attention=looked(index), confidence=0.9 - 0.4 * (index in wrong))
        for index, row in enumerate(rows)
    ]


def make_run(
    folder: Path,
    predictions: Sequence[Prediction],
    images: Path | None = None,
    train=TRAIN,
    model: str = "a <model> & more",
    metrics: Sequence[str] = ("exact_match", "token_f1"),
    text_models: TextModels | None = None,
) -> Run:
    scorecard, columns = score_predictions(
        predictions,
        metrics=[METRICS[name] for name in metrics],
        text_models=text_models or TextModels(),
        train_pairs=train,
        provenance={"model": model, "adapter": None},
    )
    write_record(folder, EvaluationRecord(images=None if images is None else str(images), seed=3))
    write_results(folder, predictions, columns, scorecard)
    return read_run(folder)
