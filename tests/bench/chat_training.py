"""Examples per CPU second of fine-tuning a chat model: ours, against the way of TRL.

TRL's way: one sequence a question, its image decoded, prepared and encoded for it, logits of every
token. Both train the same LoRA weights on the same questions with the same loss, and must show the
same loss curve; ours encodes its images once within the time. Each way runs in a process of its
own, whose peak of memory is its own; neither computes activations twice, as the recipe has it while
the vision tower is frozen. Where TRL is installed, its own trainer runs too.

    python -m tests.bench.chat_training ours|reference|trl MODEL PICTURES PER_IMAGE
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from shared.images.decoding import open_image
from shared.records import QAPair, pair_id
from shared.vqa.quantization import Quantization
from tests.bench.chat import save_smolvlm
from tests.bench.inference import WORDS, make_pictures
from tests.bench.measure import Comparison
from trainer.data.batches import Batches
from trainer.data.features import StoredFeatures
from trainer.fitting.adapter import NewAdapter, add_adapter
from trainer.fitting.lessons import PairLessons
from trainer.learners.families import load_learner
from trainer.recipe.recipe import LoraRecipe
from trainer.recipe.schedule import Schedule
from trainer.training.loop import Optimization, new_optimizer, train
from trainer.training.memory import peak_memory_gib

IMAGES, EPOCHS, BATCH = 2, 2, 10
RATE = 1e-3
LOSS_TOLERANCE = 1e-3
"""Stored features are float16."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a way of training took, and the loss of each of its steps."""

    seconds: float
    peak_gib: float
    losses: tuple[float, ...]


def bench_fit_chat(folder: Path) -> Iterator[Comparison]:
    """SmolVLM2-256M's architecture in float32, with 5 and 10 questions an image."""
    model = save_smolvlm(folder / "smolvlm")
    for per_image in (5, 10):
        pictures = make_pictures(folder / f"pictures-{per_image}", IMAGES, side=448)
        done = {way: _in_a_process(way, model, pictures, per_image) for way in _ways()}
        ours, reference = done["ours"], done["reference"]
        pair = zip(reference.losses, ours.losses, strict=True)
        worst = max(abs(theirs - mine) / theirs for theirs, mine in pair)
        assert worst < LOSS_TOLERANCE, f"the loss curves differ by {worst:.2%}"
        assert ours.peak_gib <= reference.peak_gib, "ours takes more memory"
        examples = IMAGES * per_image * EPOCHS
        for way, theirs in done.items():
            if way == "ours":
                continue
            yield Comparison(
                f"fine-tuning SmolVLM2-256M, {per_image} questions an image; {way} "
                f"{theirs.peak_gib:.2f} GiB, ours {ours.peak_gib:.2f} GiB",
                "examples/CPU s",
                examples / theirs.seconds,
                examples / ours.seconds,
            )


def _ways() -> list[str]:
    return ["reference", "ours", *(["trl"] if importlib.util.find_spec("trl") else [])]


def _in_a_process(way: str, model: Path, pictures: Path, per_image: int) -> Trained:
    command = [sys.executable, "-m", __spec__.name, way, str(model), str(pictures), str(per_image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{way}: {done.stderr}"
    return Trained(**json.loads(done.stdout.splitlines()[-1]))


def _pairs(pictures: Path, per_image: int) -> list[QAPair]:
    asked = [f"what is the {word}" for word in WORDS]
    asked += [f"{question} of it" for question in asked]
    return [
        QAPair(pair_id(path.name, question), question, question.split()[3], path.name)
        for path in sorted(pictures.iterdir())
        for question in asked[:per_image]
    ]


def _with_adapter(model: Path) -> NewAdapter:
    learner = load_learner(str(model), quantization=Quantization.NONE)
    torch.manual_seed(0)
    # Dropout would draw other numbers.
    return add_adapter(learner, LoraRecipe(dropout=0))


def _settings(batches: Batches) -> Optimization:
    return Optimization(
        learning_rate=RATE,
        schedule=Schedule.LINEAR,
        weight_decay=0.01,
        warmup_steps=2,
        total_steps=EPOCHS * batches.steps_per_epoch,
        max_grad_norm=1.0,
        seed=0,
    )


def ours(adapter: NewAdapter, pairs: Sequence[QAPair], pictures: Path) -> list[float]:
    """Train as `trainer fit` does; return the losses."""
    batches = Batches(pairs, BATCH, accumulation=1, seed=0)
    settings = _settings(batches)
    with TemporaryDirectory() as store:
        names = [pair.filename for pair in pairs]
        features = StoredFeatures(adapter.learner, pictures, names, Path(store))
        steps = train(
            adapter.peft,
            new_optimizer(adapter.peft, settings),
            PairLessons(adapter.learner, features, batches),
            settings,
            first_step=0,
        )
        return [report.loss for report in steps]


def reference(adapter: NewAdapter, pairs: Sequence[QAPair], pictures: Path) -> list[float]:
    """Train with a sequence for each question; return the losses."""
    batches = Batches(pairs, BATCH, accumulation=1, seed=0)
    settings = _settings(batches)
    optimizer = new_optimizer(adapter.peft, settings)
    weights = [weight for weight in adapter.peft.parameters() if weight.requires_grad]
    losses = []
    for step in range(settings.total_steps):
        optimizer.param_groups[0]["lr"] = settings.rate(step)
        adapter.peft.train()
        [rows] = batches.micro_batches(step)
        loss = adapter.learner.model.network(**_collated(adapter, rows, pictures)).loss
        loss.backward()
        clip_grad_norm_(weights, settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def _collated(
    adapter: NewAdapter, rows: Sequence[QAPair], pictures: Path
) -> dict[str, torch.Tensor]:
    """Return prompts with their answers and images, padded on the right, and labels."""
    learner = adapter.learner
    processor = learner.answerer.processor
    questions = learner.model.asked([row.question for row in rows])
    answers = [list(turn.answer) for turn in learner.tokenise(rows).turns]
    asked = [
        processor.apply_chat_template(
            [_turn(open_image(pictures / row.filename), question)],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        for row, question in zip(rows, questions, strict=True)
    ]
    whole = [
        [*prompt["input_ids"][0].tolist(), *answer]
        for prompt, answer in zip(asked, answers, strict=True)
    ]
    longest = max(map(len, whole))
    labels = [
        [-100] * (len(row) - len(answer)) + answer + [-100] * (longest - len(row))
        for row, answer in zip(whole, answers, strict=True)
    ]
    beside = {"input_ids", "attention_mask"}
    return {
        "input_ids": torch.tensor([row + [0] * (longest - len(row)) for row in whole]),
        "attention_mask": torch.tensor(
            [[1] * len(row) + [0] * (longest - len(row)) for row in whole]
        ),
        "labels": torch.tensor(labels),
        **{
            name: torch.cat([prompt[name] for prompt in asked])
            for name in asked[0]
            if name not in beside
        },
    }


def _turn(image: object, question: str) -> dict[str, Any]:
    content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
    return {"role": "user", "content": content}


def trl(adapter: NewAdapter, pairs: Sequence[QAPair], pictures: Path) -> list[float]:
    """Train with TRL's own trainer, where it is installed; return the losses."""
    from datasets import Dataset  # noqa: PLC0415
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    batches = Batches(pairs, BATCH, accumulation=1, seed=0)
    settings = _settings(batches)
    rows = [row for step in range(settings.total_steps) for row in batches.micro_batches(step)[0]]
    questions = adapter.learner.model.asked([row.question for row in rows])
    data = Dataset.from_list(
        [
            {
                "images": [open_image(pictures / row.filename)],
                "prompt": [{"role": "user", "content": question}],
                "completion": [{"role": "assistant", "content": row.answer}],
            }
            for row, question in zip(rows, questions, strict=True)
        ]
    )
    with TemporaryDirectory() as out:
        trainer = SFTTrainer(
            model=adapter.peft,
            train_dataset=data,
            processing_class=adapter.learner.answerer.processor,
            args=SFTConfig(
                output_dir=out,
                per_device_train_batch_size=BATCH,
                num_train_epochs=1,
                learning_rate=RATE,
                gradient_checkpointing=False,
                max_length=None,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                use_cpu=True,
                bf16=False,
                train_sampling_strategy="sequential",
            ),
        )
        trainer.train()
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


WAYS: dict[str, Callable[[NewAdapter, Sequence[QAPair], Path], list[float]]] = {
    "ours": ours,
    "reference": reference,
    "trl": trl,
}


def main(way: str, model: str, pictures: str, per_image: str) -> None:
    """Train one way; print what it took."""
    adapter = _with_adapter(Path(model))
    pairs = _pairs(Path(pictures), int(per_image))
    started = process_time()
    losses = WAYS[way](adapter, pairs, Path(pictures))
    seconds = process_time() - started
    peak = peak_memory_gib(adapter.learner.model.device)
    print(json.dumps({"seconds": seconds, "peak_gib": peak, "losses": losses}))


if __name__ == "__main__":
    main(*sys.argv[1:])
