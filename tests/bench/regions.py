"""Does region supervision raise VTGS against boxes? ``python -m tests.bench.regions``.

Pictures with three objects each, a circle, a rectangle and a triangle cut out of easy-VQA's and
pasted in three colours onto a pale ground, are asked "what shape is the red object?" and so on:
the answer hangs on looking at the right one. LoRA on blip-vqa-tiny is trained by ``trainer fit``'s
own code with and without the loss, and scored as ``evaluator run`` does on pictures never seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated

import easy_vqa
import numpy as np
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from evaluator.controls import other_images
from evaluator.fleet import LocalFleet
from evaluator.metrics import Metric
from evaluator.replica import Replica, replica_settings
from evaluator.run import Evaluation, evaluate
from evaluator.run_folder import Run, read_run
from evaluator.scorecard import Figure
from evaluator.significance import paired_difference
from evaluator.text_models import MINILM, load_text_models
from shared.boxes import Box
from shared.clock import SystemClock
from shared.corpus import write_pairs
from shared.records import QAPair, Split, pair_id
from shared.vqa.blip.grounding import REGIONS
from tests.bench.grounding import bounding_box, shape_mask
from trainer.fit import fit
from trainer.recipe import FitRecipe

KINDS = ("circle", "rectangle", "triangle")
CANVAS, SMALLEST, LARGEST = 192, 64, 92
"""Sides of a picture, and of the objects in it, in pixels."""
METRICS = (Metric.EXACT_MATCH, Metric.VTGS, Metric.VTGS_BOXES)
VARIANTS: Mapping[str, Mapping[str, float]] = {
    "without": {"weight": 0.0},
    "boxes": {"weight": 1.0, "contrast": 0.0},
    "boxes and pairs": {"weight": 1.0, "contrast": 1.0},
}


@dataclass(frozen=True)
class Cutting:
    """An object cut out of its picture."""

    kind: str
    colour: str
    picture: Image.Image


app = typer.Typer(add_completion=False)


@app.command()
def bench(
    images: Annotated[int, typer.Option(help="training pictures, three questions each")] = 120,
    seeds: Annotated[int, typer.Option(help="runs of each kind")] = 2,
    epochs: Annotated[int, typer.Option(help="passes over them")] = 7,
    rate: Annotated[float, typer.Option(help="learning rate")] = 3e-3,
) -> None:
    """Train, score and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        test = _write_data(folder, images)
        runs: dict[str, list[Run]] = {variant: [] for variant in VARIANTS}
        for seed, (variant, regions) in product(range(seeds), VARIANTS.items()):
            out = folder / f"{variant} {seed}"
            _train(folder, out, regions, seed=seed, epochs=epochs, rate=rate)
            runs[variant].append(_score(folder, out, test))
            Console().print(_line(f"{variant}, seed {seed}", runs[variant][-1]))
        Console().print(_levels(runs))
        Console().print(_differences(runs))


def _write_data(folder: Path, images: int) -> list[QAPair]:
    """Draw pictures below ``folder``, write the pairs to learn, and return those of the test."""
    (folder / "images").mkdir()
    dice = np.random.default_rng(0)
    counts: dict[Split, int] = {"train": images, "validation": images // 10, "test": 200}
    learned: list[QAPair] = []
    tested: list[QAPair] = []
    for split, count in counts.items():
        # No object of a picture that is scored was seen before.
        source = easy_vqa.get_test_questions if split == "test" else easy_vqa.get_train_questions
        paths = (
            easy_vqa.get_test_image_paths() if split == "test" else easy_vqa.get_train_image_paths()
        )
        cuttings = _cuttings(*source(), paths)
        for number in range(count):
            name = f"{split}-{number}.png"
            pairs = _draw(folder / "images" / name, cuttings, dice, split)
            (tested if split == "test" else learned).extend(pairs)
    write_pairs(learned, folder / "pairs.jsonl")
    return tested


def _cuttings(
    questions: Sequence[str], answers: Sequence[str], ids: Sequence[int], paths: Mapping[int, str]
) -> list[Cutting]:
    found: dict[int, Cutting] = {}
    for question, answer, image in zip(questions, answers, ids, strict=True):
        kind = next((kind for kind in KINDS if kind in question), None)
        if "color" not in question or kind is None or image in found or len(found) == 600:
            continue
        picture = Image.open(paths[image]).convert("RGB")
        box = bounding_box(shape_mask(picture))
        sides = (picture.width, picture.height, picture.width, picture.height)
        corners = [round(edge * side) for edge, side in zip(box.edges, sides, strict=True)]
        found[image] = Cutting(kind, answer, picture.crop(tuple(corners)))
    return list(found.values())


def _draw(
    path: Path, cuttings: Sequence[Cutting], dice: np.random.Generator, split: Split
) -> list[QAPair]:
    noise = dice.integers(225, 256, size=(CANVAS, CANVAS, 3), dtype=np.uint8)
    canvas = Image.fromarray(noise)
    quarters = dice.permutation(4)
    pairs: list[QAPair] = []
    taken: set[str] = set()
    for kind, quarter in zip(KINDS, quarters, strict=False):
        free = [one for one in cuttings if one.kind == kind and one.colour not in taken]
        chosen = free[dice.integers(len(free))]
        taken.add(chosen.colour)
        side = int(dice.integers(SMALLEST, LARGEST))
        room = CANVAS // 2 - side
        left = int(quarter % 2 * CANVAS // 2 + dice.integers(room))
        top = int(quarter // 2 * CANVAS // 2 + dice.integers(room))
        canvas.paste(chosen.picture.resize((side, side)), (left, top))
        box = Box(left / CANVAS, top / CANVAS, (left + side) / CANVAS, (top + side) / CANVAS)
        name, question = path.name, f"what shape is the {chosen.colour} object?"
        pairs.append(QAPair(pair_id(name, question), question, kind, name, split, boxes=(box,)))
    canvas.save(path)
    return pairs


def _train(
    folder: Path, out: Path, regions: Mapping[str, float], *, seed: int, epochs: int, rate: float
) -> None:
    recipe = FitRecipe.model_validate(
        {
            "model": "blip-vqa-tiny",
            "data": folder / "pairs.jsonl",
            "images": folder / "images",
            "out": out,
            "feature_store": folder / "features",
            "quantize": "none",
            "epochs": epochs,
            "batch_size": 24,
            "learning_rate": rate,
            "warmup_min_steps": 20,
            "allow_leaks": True,  # pictures of the same shapes look alike
            "track": [],
            "seed": seed,
            "lora": {"targets": ["query", "key", "value", "dense"]},
            "regions": dict(regions),
        }
    )
    fit(recipe, resume=False)


def _score(folder: Path, adapter: Path, pairs: Sequence[QAPair]) -> Run:
    settings = replica_settings(
        "blip-vqa-tiny",
        adapter,
        "none",
        folder / "images",
        batch_size=64,
        measure_grounding=True,
    )
    evaluation = Evaluation(
        pairs,
        [],
        {"adapter": "", "grounding": REGIONS, "images": str(folder / "images")},
        METRICS,
        shown_instead=other_images((pair.filename for pair in pairs), sample=200, seed=0),
    )
    evaluate(
        evaluation,
        adapter / "run",
        lambda: LocalFleet(Replica(settings)),
        lambda: load_text_models(
            METRICS, sentence_model=MINILM, bertscore_model=MINILM, bertscore_layers=None
        ),
        SystemClock(),
    )
    return read_run(adapter / "run")


def _line(name: str, run: Run) -> str:
    figures = run.scorecard.scores.metrics
    return f"{name}: " + ", ".join(f"{metric} {_figure(figures[metric])}" for metric in METRICS)


def _levels(runs: Mapping[str, Sequence[Run]]) -> Table:
    table = Table(title="Means over the seeds; less the same with other pictures")
    for heading in ("loss on regions", "metric", "mean of each seed", "less other pictures"):
        table.add_column(heading)
    for variant, metric in product(runs, METRICS):
        means = [run.scorecard.scores.metrics[metric].mean for run in runs[variant]]
        leads = [run.scorecard.over_shuffled[metric].mean for run in runs[variant]]
        table.add_row(variant, metric, _each(means), _each(leads))
    return table


def _differences(runs: Mapping[str, Sequence[Run]]) -> Table:
    table = Table(title="With the loss less without, all seeds, bootstrap over pictures")
    for heading in ("loss on regions", "metric", "difference", "p"):
        table.add_column(heading)
    base, *others = runs
    names = [row.pair.filename for run in runs[base] for row in run.predictions]
    for variant, metric in product(others, METRICS):
        gains_N = np.concatenate(
            [
                after.columns[metric] - before.columns[metric]
                for before, after in zip(runs[base], runs[variant], strict=True)
            ]
        )
        found = paired_difference(gains_N, names)
        low, high = found.ci95 or (np.nan, np.nan)
        table.add_row(
            variant, metric, f"{found.mean:+.3f} [{low:+.3f}, {high:+.3f}]", f"{found.p_value:.4f}"
        )
    return table


def _figure(figure: Figure) -> str:
    low, high = figure.ci95 or (np.nan, np.nan)
    return f"{figure.mean:.3f} [{low:.3f}, {high:.3f}]"


def _each(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({', '.join(f'{value:.3f}' for value in values)})"


if __name__ == "__main__":
    app()
