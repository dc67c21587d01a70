"""The recipe of a LoRA fine-tuning run, with the defaults of the AIM825 report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shared.files.cache import cache_folder
from shared.program.settings import Seed, Settings
from shared.vqa.inputs.instruction import PLACE
from shared.vqa.inputs.question_length import MAX_QUESTION_TOKENS
from shared.vqa.quantization import WHAT_EACH_IS, Quantization
from trainer.recipe.schedule import Schedule
from trainer.recipe.targets import AUTO, OneOfTargets, Targets

LARGEST_RATE = 1e38
"""What the optimiser's 32-bit numbers hold; that a rate is too high, the gradients tell."""


class Track(StrEnum):
    """Where a run's numbers go, besides ``training.jsonl``."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    MLFLOW = "mlflow"


class LoraStart(StrEnum):
    """What the first A and B are."""

    ZERO = "zero"
    GAUSSIAN = "gaussian"
    PISSA = "pissa"
    LOFTQ = "loftq"


class AnswerChoice(StrEnum):
    """Which answers a model that chooses among labels learns to give."""

    BASE = "base"
    EXTEND = "extend"


class LoraRecipe(Settings):
    """LoRA (Hu et al. 2021): the update is ``alpha / rank * B A`` on every target."""

    rank: int = Field(16, gt=0, description="rank of the update")
    alpha: int = Field(32, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.05, ge=0, lt=1, description="dropout before A while training")
    targets: Targets = Field(
        AUTO,
        description='which layers get an update: ends of their names, such as ["query", "value"]; '
        'or a regular expression of whole names, such as ".*text_encoder.*(query|value)"; '
        "all-linear: every linear layer but the one that says the answer; auto: attention layers, "
        "in a BLIP those of the AIM825 report; docs/models.md has the names of each family",
    )
    rslora: bool = Field(
        default=False, description="scale by alpha / sqrt(rank), for high ranks: arXiv:2312.03732"
    )
    dora: bool = Field(
        default=False,
        description="learn the weights' magnitude separately, slower: arXiv:2402.09353",
    )
    start: LoraStart = Field(
        LoraStart.ZERO,
        description="zero: A uniform, B zero; gaussian: A normal, B zero; pissa: the base's "
        "principal components, with quantize none alone: arXiv:2404.02948; loftq: what was "
        "rounded off, not with quantize none: arXiv:2310.08659",
    )
    rounded: bool = Field(
        default=False,
        description="on a base that `trainer quantize` packed: round the update together with the "
        "layer in every step, without dropout, so that `trainer merge` makes a packed model of "
        "both: arXiv:1308.3432",
    )


class SplitRecipe(Settings):
    """How products are divided where the data does not say; shares by number of images."""

    train: float = Field(0.8, ge=0, le=1, description="share of the images to train on")
    validation: float = Field(
        0.1, ge=0, le=1, description="share that decides which epoch is kept and when to stop"
    )
    test: float = Field(0.1, ge=0, le=1, description="share that is kept for the evaluation")
    seed: Seed = Field(0, description="decides which image goes where")


class SweepRecipe(Settings):
    """What ``trainer sweep`` varies: every combination of the values listed here is a trial."""

    rank: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        (), description="values of lora.rank to try, such as [4, 16]; empty: the recipe's own"
    )
    alpha: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        (), description="values of lora.alpha; empty: the recipe's own"
    )
    dropout: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(
        (), description="values of lora.dropout; empty: the recipe's own"
    )
    targets: tuple[OneOfTargets, ...] = Field(
        (),
        description="values of lora.targets, each as it stands there, such as "
        '["auto", ["query", "value"], "all-linear"]; empty: the recipe\'s own',
    )
    learning_rate: tuple[Annotated[float, Field(gt=0, lt=LARGEST_RATE)], ...] = Field(
        (), description="values of learning_rate, such as [2e-5, 5e-5, 1e-4]; empty: the recipe's"
    )
    seeds: tuple[Seed, ...] = Field(
        (),
        description="seeds to train each combination with, such as [0, 1, 2], which shows what is "
        "mere chance; empty: the recipe's seed alone",
    )
    combinations: int = Field(
        0, ge=0, description="how many combinations to draw at random; 0: all of them"
    )
    draw_seed: Seed = Field(0, description="decides which combinations are drawn")
    grace_epochs: int = Field(
        1,
        gt=0,
        description="no trial is stopped before so many epochs; as many as `epochs`, or more: none "
        "is stopped early",
    )
    reduction: float = Field(
        3,
        gt=1,
        description="of the trials that come so far as grace_epochs, that times reduction, and so "
        "on, the best 1 / reduction go on (ASHA: arXiv:1810.05934)",
    )
    concurrent: int = Field(1, gt=0, description="trials at a time")
    gpus_per_trial: Annotated[float, Field(ge=0)] | Literal["auto"] = Field(
        "auto",
        description="cards for each, such as 0.5, or 0 to train on CPUs; auto: all cards, shared "
        "evenly",
    )


class RegionsRecipe(Settings):
    """Region supervision, for data with boxes: a loss on where the question looks."""

    weight: float = Field(
        0.0,
        ge=0,
        description="weight of the loss that pulls the attention into the boxes, against the "
        "answer's; 0: off",
    )
    contrast: float = Field(
        1.0,
        ge=0,
        description="within it, weight of the contrastive pairs: another question about the same "
        "picture whose boxes are elsewhere must look less at these; 0: without",
    )
    layers: tuple[int, ...] = Field(
        (),
        description="cross-attention layers of the question encoder, from 1; empty: the one that "
        "VTGS reads, two thirds up",
    )


Pairs = Annotated[
    Path,
    Field(
        description="question/answer pairs: a data set folder, or a CSV, JSON or Parquet file; a "
        "path or a URL (hf://datasets/OWNER/NAME)",
        examples=["dataset"],
    ),
]
ImagesFolder = Annotated[
    Path,
    Field(
        description="folder that the file names of the pairs start from; left out: the pictures "
        "within the data, or in a folder `images` beside its rows",
        examples=["abo/images/small"],
    ),
]

DataColumns = Annotated[
    dict[str, str],
    Field(
        description="columns of the data whose names cannot be guessed, such as "
        '{answer = "ground_truth"}; an empty name takes the data for some without that column',
    ),
]


def _with_a_place(prompt: str) -> str:
    if prompt and PLACE not in prompt:
        raise ValueError(f"{prompt!r} does not say where the question goes ({PLACE})")
    return prompt


Prompt = Annotated[str, AfterValidator(_with_a_place)]


class FitRecipe(Settings):
    """Everything that decides what ``trainer fit`` makes."""

    model: str = Field(
        "Salesforce/blip-vqa-base",
        description="the base, of a family in docs/models.md: a hub id, a model folder or "
        "blip-vqa-tiny",
    )
    data: Pairs
    images: ImagesFolder
    columns: DataColumns = Field({})
    out: Path = Field(description="folder to write the adapter to", examples=["adapter"])
    quantize: Quantization = Field(
        Quantization.NF4,
        description=f"how the base is held. {WHAT_EACH_IS}; ao-int4, gptq and autoround are for "
        "answering alone",
    )
    epochs: int = Field(3, gt=0, description="passes over the training pairs")
    patience_epochs: int = Field(
        0,
        ge=0,
        description="stop after so many epochs without a better held-out exact match; 0: never. "
        "The best epoch's weights are kept in any case",
    )
    learning_rate: float = Field(5e-5, gt=0, lt=LARGEST_RATE, description="AdamW's peak rate")
    schedule: Schedule = Field(
        Schedule.LINEAR, description="how the rate falls after the warm-up, to 0 but for constant"
    )
    warmup_min_steps: int = Field(
        100, ge=0, description="the warm-up takes max(warmup_min_steps, warmup_fraction * steps)"
    )
    warmup_fraction: float = Field(0.1, ge=0, lt=1, description="share of all optimiser steps")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's decay of the adapter's weights")
    max_grad_norm: float = Field(1.0, gt=0, description="longer gradients are cut to this norm")
    batch_size: int = Field(8, gt=0, description="questions of a micro-batch")
    accumulation: int = Field(
        1, gt=0, description="micro-batches of a step; the loss does not depend on the cut"
    )
    evaluation_batch_size: int = Field(
        16, gt=0, description="questions answered at a time; batches hold whole images"
    )
    prompt: Prompt = Field(
        "",
        description="what questions are put into, such as '{question} Answer in one word.', here "
        "and whenever the adapter answers; empty: as a model of this kind is asked",
    )
    max_question_tokens: int = Field(
        MAX_QUESTION_TOKENS,
        gt=4,
        le=MAX_QUESTION_TOKENS,
        description="longer questions are cut, here and whenever the adapter answers; a chat model "
        "reads them whole",
    )
    max_answer_tokens: int = Field(MAX_QUESTION_TOKENS, gt=2, description="longer answers are cut")
    answers: AnswerChoice = Field(
        AnswerChoice.BASE,
        description="for models that choose among labels; base: its own labels, and pairs "
        "with other answers are left out of training; extend: add the training answers that it "
        "lacks, train the last layer whole, and keep it with the adapter",
    )
    gradient_checkpointing: bool | Literal["auto"] = Field(
        "auto",
        description="compute activations twice to save memory; auto: only where what encodes "
        "images is trained, which is where they are large. The weights come out the same",
    )
    augment: bool = Field(
        default=False,
        description="zoom, shift and mirror the training images at random; each is then encoded "
        "anew for every batch",
    )
    feature_store: Path | Literal["auto"] = Field(
        "auto",
        description="where encoded images are kept, for this and later runs, while what encodes "
        "them is frozen; auto: in the cache, which ABO_VQA_CACHE names",
    )
    feature_store_gib: float = Field(
        16.0,
        ge=0,
        description="disk that encoded images may take; 0 encodes every image anew for each batch",
    )
    checkpoint_every_steps: int = Field(
        500, gt=0, description="steps between checkpoints; there is one after each epoch too"
    )
    allow_leaks: bool = Field(
        False,
        description="train although an image, a near-identical one or a product is in more than "
        "one split, or the base was trained on what is held out",
    )
    track: tuple[Track, ...] = Field(
        (Track.TENSORBOARD,),
        description="where the run's numbers go besides training.jsonl; wandb and mlflow have an "
        "extra each and are set up by their own environment variables",
    )
    seed: Seed = Field(0, description="decides the new adapter, the batches and the dropout")
    lora: LoraRecipe = Field(LoraRecipe(), description="the adapter")
    regions: RegionsRecipe = Field(
        RegionsRecipe(),
        description="region supervision, for pairs with boxes, where questions attend to pictures",
    )
    split: SplitRecipe = Field(
        SplitRecipe(), description="by product, for data without a split of their own"
    )
    sweep: SweepRecipe = Field(
        SweepRecipe(), description="what `trainer sweep` varies; `trainer fit` does not read it"
    )

    @property
    def features_folder(self) -> Path:
        """Where encoded images are kept."""
        if self.feature_store == "auto":
            return cache_folder("features")
        return Path(self.feature_store).expanduser()

    def absolute(self) -> FitRecipe:
        """Return the recipe as a process that works in another folder reads it."""
        places = {
            name: getattr(self, name).expanduser().resolve() for name in ("data", "images", "out")
        }
        places["feature_store"] = self.features_folder.resolve()
        folder = Path(self.model).expanduser()
        model = str(folder.resolve()) if folder.is_dir() else self.model
        return self.model_copy(update={**places, "model": model})
