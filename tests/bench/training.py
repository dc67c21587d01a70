"""Examples per second of fine-tuning: features encoded once, against anew for every batch.

Both train the same LoRA weights on the same rows; the reference decodes and encodes the images of
every batch anew and has gradient checkpointing on, as in the report. Encoding once is counted in.
"""

from __future__ import annotations

from pathlib import Path

from shared.records import QAPair, pair_id
from shared.vqa.loading import EMBEDDED_MODEL, Quantization, load_model
from tests.bench.inference import WORDS, make_pictures
from tests.bench.measure import Comparison, compare
from trainer.adapter import add_adapter
from trainer.batches import Batches
from trainer.features import FreshFeatures, ImageFeatures, StoredFeatures
from trainer.loop import Optimization, new_optimizer, train
from trainer.recipe import LoraRecipe
from trainer.schedule import Schedule

IMAGES, PER_IMAGE, EPOCHS, BATCH = 40, 5, 3, 8


def bench_fit(folder: Path) -> list[Comparison]:
    """Blip-vqa-tiny in float32: 5 questions an image, 3 epochs, batches of 8."""
    images = make_pictures(folder / "fit", IMAGES, side=256)
    pairs = [
        QAPair(pair_id(path.name, word), f"what is the {word}", word.split()[-1], path.name)
        for path in sorted(images.iterdir())
        for word in WORDS[:PER_IMAGE]
    ]
    return [
        compare(
            "fine-tuning blip-vqa-tiny, 3 epochs",
            "examples/s",
            len(pairs) * EPOCHS,
            lambda: _fit(pairs, images, stored=False),
            lambda: _fit(pairs, images, stored=True),
            rounds=1,
        )
    ]


def _fit(pairs: list[QAPair], images: Path, *, stored: bool) -> None:
    model = load_model(EMBEDDED_MODEL, quantization=Quantization.NONE)
    peft = add_adapter(model, LoraRecipe()).peft
    features: ImageFeatures
    if stored:
        features = StoredFeatures(model, images, [pair.filename for pair in pairs])
    else:
        features = FreshFeatures(model, images)
        model.blip.activation_checkpointing_enable({"use_reentrant": False})
        model.blip.disable_input_require_grads()
    batches = Batches(pairs, BATCH, accumulation=1, seed=0)
    settings = Optimization(
        learning_rate=5e-5,
        schedule=Schedule.LINEAR,
        weight_decay=0.01,
        warmup_steps=10,
        total_steps=EPOCHS * batches.steps_per_epoch,
        max_grad_norm=1.0,
        max_question_tokens=128,
        max_answer_tokens=128,
        seed=0,
    )
    optimizer = new_optimizer(peft, settings)
    for _ in train(
        model, peft, optimizer, features=features, batches=batches, settings=settings, first_step=0
    ):
        pass
