"""Does region supervision help a model that answers? ``python -m tests.bench.regions``.

Pictures of three products each (``collages``) are asked about one of them. LoRA on blip-vqa-tiny is
trained by ``trainer fit``'s own code with and without the loss, on the same data and seeds, and
scored as ``evaluator run`` does on pictures of products that it never saw.

Needs the ABO sample in ``../shared/abo``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from evaluator.answering.fleet import LocalFleet
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from evaluator.comparing.significance import paired_difference
from evaluator.metrics.choice import parse_metrics
from evaluator.metrics.loading import load_text_models
from evaluator.metrics.text_models.names import MINILM
from evaluator.runs.folder import Run, read_run
from evaluator.runs.record import EvaluationRecord
from evaluator.runs.run import Evaluation, evaluate
from evaluator.scoring.controls import other_images
from evaluator.scoring.figures import Figure
from shared.corpus import write_pairs
from shared.program.clock import SystemClock
from shared.records import QAPair
from shared.vqa.blip.grounding import REGIONS
from tests.bench.collages import Setting, draw, read_products
from trainer.fitting.fit import fit
from trainer.recipe.recipe import FitRecipe

METRICS = ("exact_match", "vtgs", "vtgs_boxes")
VARIANTS: Mapping[str, Mapping[str, float]] = {
    "without": {"weight": 0.0},
    "boxes": {"weight": 1.0, "contrast": 0.0},
    "boxes and pairs": {"weight": 1.0, "contrast": 1.0},
}
TESTED = 200
"""Pictures of the test."""


app = typer.Typer(add_completion=False)


@app.command()
def bench(
    setting: Annotated[Setting, typer.Option(help="what is asked")] = Setting.NAMES,
    images: Annotated[int, typer.Option(help="training pictures, three questions each")] = 1500,
    seeds: Annotated[int, typer.Option(help="runs of each kind")] = 2,
    epochs: Annotated[int, typer.Option(help="passes over them")] = 3,
    rate: Annotated[float, typer.Option(help="learning rate")] = 2e-3,
) -> None:
    """Train, score and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        learned, tested = _write_pictures(folder / "images", setting, images)
        write_pairs(learned, folder / "pairs.jsonl")
        runs: dict[str, list[Run]] = {variant: [] for variant in VARIANTS}
        for seed, (variant, regions) in product(range(seeds), VARIANTS.items()):
            out = folder / f"{variant} {seed}"
            _train(folder, out, regions, seed=seed, epochs=epochs, rate=rate)
            runs[variant].append(_score(folder, out, learned, tested))
            Console().print(_line(f"{variant}, seed {seed}", runs[variant][-1]))
        Console().print(_levels(runs))
        Console().print(_differences(runs))


def _write_pictures(
    folder: Path, setting: Setting, images: int
) -> tuple[list[QAPair], list[QAPair]]:
    """Draw pictures below ``folder``; return the pairs to learn, and those of the test."""
    folder.mkdir()
    seen, unseen = read_products(setting)
    dice = np.random.default_rng(0)
    learned: list[QAPair] = []
    tested: list[QAPair] = []
    for number in range(images):
        learned += draw(folder / f"train-{number}.png", seen, setting, dice, "train")
    for number in range(images // 20):
        learned += draw(folder / f"held-out-{number}.png", seen, setting, dice, "validation")
    for number in range(TESTED):
        tested += draw(folder / f"test-{number}.png", unseen, setting, dice, "test")
    return learned, tested


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
            "allow_leaks": True,  # pictures of the same products look alike
            "track": [],
            "seed": seed,
            "lora": {"targets": ["query", "key", "value", "dense"]},
            "regions": dict(regions),
        }
    )
    fit(recipe, resume=False)


def _score(folder: Path, adapter: Path, learned: Sequence[QAPair], tested: Sequence[QAPair]) -> Run:
    settings = replica_settings(
        "blip-vqa-tiny",
        adapter,
        "none",
        folder / "images",
        batch_size=64,
        measure_grounding=True,
    )
    evaluation = Evaluation(
        tested,
        [pair for pair in learned if pair.split == "train"],
        EvaluationRecord(adapter="", grounding=REGIONS, images=str(folder / "images")),
        parse_metrics(",".join(METRICS)),
        shown_instead=other_images((pair.filename for pair in tested), sample=200, seed=0),
    )
    evaluate(
        evaluation,
        adapter / "run",
        lambda: LocalFleet(Replica(settings)),
        lambda: load_text_models(
            parse_metrics(",".join(METRICS)),
            sentence_model=MINILM,
            bertscore_model=MINILM,
            bertscore_layers=None,
        ),
        SystemClock(),
    )
    return read_run(adapter / "run")


def _line(name: str, run: Run) -> str:
    figures = run.scorecard.scores.metrics
    prior = run.scorecard.prior
    assert prior is not None
    scores = ", ".join(f"{metric} {_figure(figures[metric])}" for metric in METRICS)
    guessed = prior.metrics["exact_match"].mean
    return f"{name}: {scores}; exact match of the question-only prior {guessed:.3f}"


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
