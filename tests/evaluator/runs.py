"""Small finished runs with pictures, for the tests of what reads them."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from evaluator.metrics import Metric
from evaluator.run_folder import Run, read_run, write_results, write_settings
from evaluator.scoring import score_predictions
from evaluator.text_models import TextModels
from shared.records import Prediction, QAPair
from tests.evaluator.predictions import predicted

COLOURS = ("red", "green", "blue", "black")
TRAIN = [QAPair("t", "what color is the shape", "red", "train.jpg")]


def draw_images(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for index in range(count):
        Image.new("RGB", (300, 200), COLOURS[index % 4]).save(folder / f"{index}.png")


def answers(count: int, wrong: Sequence[int]) -> list[Prediction]:
    return [
        predicted(
            "none" if index in wrong else COLOURS[index % 4],
            COLOURS[index % 4],
            image=f"{index}.png",
            question="what color is the shape" if index % 2 else "is it round?",
        )
        for index in range(count)
    ]


def make_run(
    folder: Path, predictions: Sequence[Prediction], images: Path | None = None, train=TRAIN
) -> Run:
    scorecard, columns = score_predictions(
        predictions,
        metrics=(Metric.EXACT_MATCH, Metric.TOKEN_F1),
        text_models=TextModels(),
        train_pairs=train,
        provenance={"model": "a <model> & more", "adapter": None},
    )
    write_settings(folder, {"images": None if images is None else str(images), "seed": 3})
    write_results(folder, predictions, columns, scorecard)
    return read_run(folder)
