"""What only an accelerator can tell, in one file of JSON: ``make gpu-check`` on a machine with one.

For a BLIP of the size of blip-vqa-base and a SmolVLM2-256M, both with random weights, in every
format of ``--quantize`` (of one that cannot be had, what it lacks is told): questions a second,
their share of what the device multiplies matrices with, memory a replica, replicas a card, and
examples a second in training; and pictures a second of a model from scratch. Each figure is taken
in a process of its own, and none is begun after ``--seconds``. It runs on a CPU too, to show that
it works: ``--small``.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from shared.corpus import write_pairs
from shared.files.atomic import atomic_path
from shared.program.clock import stopwatch
from shared.program.process.peak_memory import peak_bytes
from shared.program.settings import validated
from shared.program.versions import installed_versions
from shared.records import QAPair, pair_id
from shared.vqa.families import load_answerer
from shared.vqa.loaded import best_device
from shared.vqa.quantization import Quantization
from tests.bench.chat import questions, save_smolvlm
from tests.bench.inference import full_size_model, make_pictures
from trainer.api import fit
from trainer.pretraining.pretrain import make_model
from trainer.pretraining.recipe import PretrainRecipe

PER_PICTURE: Final = 5
EPOCHS: Final = (1, 3)
"""Training takes so long and so much longer; the difference leaves out what is done once."""
SCRATCH_PICTURES: Final = 128
SCRATCH_EPOCHS: Final = (1, 11)
SQUARE: Final = 8192
MODELS: Final[dict[str, Callable[[Path], Path]]] = {
    "blip": full_size_model,
    "smolvlm": save_smolvlm,
}
BEGUN_WITH: Final = (Quantization.NF4, Quantization.NONE)
"""Of each model before its other formats; gptq and autoround want checkpoints of theirs."""
PACKAGES: Final = ("torch", "transformers", "bitsandbytes", "peft", "torchao", "gptqmodel")


def main(
    out: Annotated[Path, typer.Option(help="the file of results")] = Path("gpu-check.json"),
    seconds: Annotated[float, typer.Option(help="after which no figure is begun")] = 360.0,
    pictures: Annotated[int, typer.Option(help="each with five questions")] = 64,
    small: Annotated[
        bool, typer.Option("--small", help="two pictures: to see that it runs")
    ] = False,
) -> None:
    """Take the figures one after the other, and write all that there are after each."""
    started, count = stopwatch(), 2 if small else pictures
    told: dict[str, Any] = {"device": _device(), "versions": installed_versions(PACKAGES)}
    with TemporaryDirectory() as name:
        folder = Path(name)
        make_pictures(folder / "pictures", count, side=448)
        for model, precision, what in _figures():
            if model in MODELS and not (folder / model).exists():
                MODELS[model](folder / model)
            figure = f"{model}, {precision.value}, {what}"
            if stopwatch() - started > seconds:
                told[figure] = {"left_out": "no time was left"}
            else:
                told[figure] = _taken(folder, model, precision, what)
            typer.echo(f"{figure}: {json.dumps(told[figure])}")
            with atomic_path(out) as part:
                part.write_text(json.dumps(told, indent=1), encoding="utf-8")
    typer.echo(f"results: {out}")


def _figures() -> Iterator[tuple[str, Quantization, str]]:
    """Yield the model of each figure, its format, and what is done with it."""
    for model in MODELS:
        for what in ("answer", "fit"):
            for precision in sorted(Quantization, key=BEGUN_WITH.__contains__, reverse=True):
                yield model, precision, what
    yield "blip-vqa-tiny's shape", Quantization.NONE, "pretrain"


def _taken(folder: Path, model: str, precision: Quantization, what: str) -> dict[str, Any]:
    """Take a figure in a process of its own, whose memory and faults are its own."""
    words = [
        sys.executable,
        "-m",
        __spec__.name,
        "--one",
        str(folder),
        model,
        precision.value,
        what,
    ]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    if ended.returncode:
        return {"failed": ended.stderr.strip().splitlines()[-1:] or ended.returncode}
    taken: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return taken


def _one(folder: str, model: str, precision: str, what: str) -> None:
    take = {"answer": _answering, "fit": _training, "pretrain": _pretraining}[what]
    print(json.dumps(take(Path(folder), Path(folder, model), Quantization(precision))))


def _answering(folder: Path, model: Path, precision: Quantization) -> dict[str, float]:
    device = best_device()
    answerer = load_answerer(str(model), quantization=precision, device=device)
    loaded = _memory(device)
    pictures = folder / "pictures"
    asked = questions(pictures, PER_PICTURE)
    settings = replica_settings(str(model), None, precision.value, pictures, batch_size=256)
    replica = Replica(settings, answerer=answerer)
    with FlopCounterMode(display=False) as counted:
        replica.answer(asked[: 2 * PER_PICTURE])
    flops = counted.get_total_flops() / (2 * PER_PICTURE)
    seconds = _seconds(lambda: replica.answer(asked), device)
    rate, peak = len(asked) / seconds, _memory(device)
    card = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else 0
    return {
        "questions_per_s": rate,
        "share_of_matrix_peak": rate * flops / _matrix_peak(device),
        "loaded_mb": loaded / 1e6,
        "peak_mb": peak / 1e6,
        "replicas_a_card": card // peak,
    }


def _training(folder: Path, model: Path, precision: Quantization) -> dict[str, float]:
    pictures = folder / "pictures"
    pairs = _red(pictures)
    write_pairs(pairs, folder / "pairs.csv")
    took = []
    for epochs in EPOCHS:
        out = folder / f"{model.name}-{precision.value}-{epochs}"
        started = stopwatch()
        result = fit(
            {
                "model": str(model),
                "data": str(folder / "pairs.csv"),
                "images": str(pictures),
                "out": str(out),
                "quantize": precision.value,
                "epochs": epochs,
                "batch_size": 64,
                "feature_store": str(folder / "features"),
                "split": {"train": 0.5, "validation": 0.5, "test": 0.0},
                "track": [],
                "allow_leaks": True,
            }
        )
        took.append(stopwatch() - started)
    epochs_more = EPOCHS[1] - EPOCHS[0]
    trained = len(pairs) * 0.5
    return {
        "examples_per_s": trained * epochs_more / max(took[1] - took[0], 1e-9),
        "seconds": took[1],
        "steps": result.steps,
        "peak_mb": _memory(best_device()) / 1e6,
    }


def _pretraining(folder: Path, model: Path, precision: Quantization) -> dict[str, float]:
    """A model from scratch, whose weights are no folder's and in no format."""
    del model, precision
    # Of a test split there is none in two pictures, and one step takes no time that can be told.
    pictures = make_pictures(folder / "of-scratch", SCRATCH_PICTURES, side=160)
    write_pairs(_red(pictures), folder / "scratch.csv")
    took = []
    for epochs in SCRATCH_EPOCHS:
        recipe = {
            "data": str(folder / "scratch.csv"),
            "images": str(pictures),
            "out": str(folder / f"scratch-{epochs}"),
            "epochs": epochs,
            "evaluate_every_epochs": 100,
            "bfloat16": True,
            "split": {"train": 0.5, "validation": 0.25, "test": 0.25},
            "shape": {"image_size": 160, "vision_layers": 6},
        }
        started = stopwatch()
        make_model(validated(PretrainRecipe, recipe, source="gpu-check"), resume=False)
        took.append(stopwatch() - started)
    trained = SCRATCH_PICTURES * 0.5 * (SCRATCH_EPOCHS[1] - SCRATCH_EPOCHS[0])
    return {
        "pictures_per_s": trained / max(took[1] - took[0], 1e-9),
        "seconds": took[1],
        "peak_mb": _memory(best_device()) / 1e6,
    }


def _red(pictures: Path) -> list[QAPair]:
    """Return questions about all pictures, whose answer is always the same."""
    return [
        QAPair(pair_id(asked.filename, asked.text), asked.text, "red", asked.filename)
        for asked in questions(pictures, PER_PICTURE)
    ]


def _matrix_peak(device: torch.device) -> float:
    """Return the operations a second of one large product of matrices, in bfloat16 on a card."""
    side = SQUARE if device.type == "cuda" else SQUARE // 8
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    square = torch.ones(side, side, dtype=dtype, device=device)
    square @ square
    rounds = 10
    return rounds * 2 * side**3 / _seconds(lambda: [square @ square for _ in range(rounds)], device)


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    started = stopwatch()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return stopwatch() - started


def _memory(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_bytes()


def _device() -> str:
    device = best_device()
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(*sys.argv[2:])
    else:
        typer.run(main)
