"""The recipe of a model from scratch."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from shared.program.settings import Seed, Settings
from trainer.recipe.recipe import LARGEST_RATE, DataColumns, ImagesFolder, Pairs, SplitRecipe


class Shape(Settings):
    """Sizes of the model to make."""

    width: int = Field(160, gt=0, description="of the hidden states, a multiple of heads")
    heads: int = Field(5, gt=0, description="of attention, in every layer")
    vision_layers: int = Field(4, gt=0, description="of the image encoder")
    question_layers: int = Field(
        2, gt=0, description="of the question encoder, and as many of the decoder"
    )
    image_size: int = Field(
        128, gt=0, description="side of the input in pixels, a multiple of patch_size"
    )
    patch_size: int = Field(16, gt=0, description="side of a patch in pixels")
    vocabulary: int = Field(
        4000, gt=100, description="word pieces at most, learned from the training pairs"
    )
    max_text_tokens: int = Field(128, gt=8, description="longest question or answer in tokens")
    dropout: float = Field(0.1, ge=0, lt=1, description="while training")

    @model_validator(mode="after")
    def _fits(self) -> Shape:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads, {self.heads}")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is no multiple of patch_size, {self.patch_size}"
            )
        return self


class Teaching(Settings):
    """What a classifier of pictures teaches before the model answers by itself."""

    teacher: str = Field(
        "",
        description="a classifier of pictures that shows the model what to see, by its name in "
        "`trainer/pretraining/teaching/teachers.toml`; none where it is empty",
        examples=["efficientnet-lite0"],
    )
    advising_epochs: int = Field(
        14, gt=0, description="of an advisor that learns to answer by what the teacher sees"
    )
    seeing_epochs: int = Field(
        30, gt=0, description="of the model's own tower, which is to see what the teacher sees"
    )
    closest: float = Field(
        0.55, gt=0, le=1, description="smallest side of what is cut out of a picture, of its own"
    )
    advice: float = Field(
        0.6,
        ge=0,
        le=1,
        description="share of an answer's first word piece that the advisor decides",
    )
    further_questions: int = Field(
        3,
        ge=0,
        description="besides questions_per_image, that were asked of images which look alike, and "
        "that the advisor answers",
    )
    seeing_weight: float = Field(
        0.3, ge=0, description="of what the tower sees amiss, while the model learns to answer"
    )
    whole_weight: float = Field(
        0.3, ge=0, description="of what it sees amiss of pictures as a whole, beside their places"
    )

    @property
    def epochs(self) -> int:
        """Epochs before the model learns to answer by itself."""
        if not self.teacher:
            return 0
        return self.advising_epochs + self.seeing_epochs


class PretrainRecipe(Settings):
    """Everything that decides what `trainer pretrain` makes."""

    data: Pairs
    images: ImagesFolder
    columns: DataColumns = Field({})
    out: Path = Field(description="folder to write the model to", examples=["model"])
    dataset: Path | None = Field(
        None,
        description="where to keep the pairs with their split, for `evaluator run`",
        examples=["model-data"],
    )
    title: str = Field("BLIP for VQA, small, from scratch", description="head of the model card")
    credit: str = Field("", description="whose pictures and texts these are, for the card")
    remarks: str = Field("", description="what else the card should say")
    start_from: str = Field(
        "",
        description="model folder to go on from, with its vocabulary and `shape`, of which "
        "image_size, patch_size and dropout may differ, and vision_layers be more; the images that "
        "it learned from fill the training split first",
        examples=["blip-vqa-tiny"],
    )
    texts_anew: bool = Field(
        default=False, description="take the tower of `start_from` alone, and random text weights"
    )
    epochs: int = Field(30, gt=0, description="passes over the training images")
    images_per_batch: int = Field(64, gt=0, description="images of a step, each encoded once")
    questions_per_image: int = Field(
        5, gt=0, description="questions asked of each of them, drawn at random where it has more"
    )
    mirrored: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the pictures that are turned left to right: more to learn from, but "
        "left and right are then one",
    )
    patches_kept: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of a picture's patches that a step looks at, drawn at random: faster, "
        "and less is learned by heart",
    )
    learning_rate: float = Field(
        1e-3, gt=0, lt=LARGEST_RATE, description="peak rate of each stage, falling as a cosine"
    )
    weight_decay: float = Field(0.05, ge=0, description="decay of the weights")
    muon_times: float = Field(
        0.0,
        ge=0,
        description="Muon's rate for the matrices of all layers, in times of learning_rate; "
        "AdamW takes these too where it is 0",
    )
    warmup_fraction: float = Field(
        0.05, ge=0, lt=1, description="share of the optimiser steps of each stage"
    )
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="share of each target that all word pieces get"
    )
    average_decay: float = Field(
        0.998, ge=0, lt=1, description="decay of the moving average of the weights, which is kept"
    )
    max_grad_norm: float = Field(1.0, gt=0, description="longer gradients are cut to this norm")
    bfloat16: bool = Field(
        default=False, description="compute in bfloat16, faster where the processor has it"
    )
    evaluate_every_epochs: int = Field(
        5, gt=0, description="epochs between scores on the validation images, once it answers"
    )
    seed: Seed = Field(0, description="decides the first weights, the batches and the dropout")
    split: SplitRecipe = Field(
        SplitRecipe(), description="by product, for data without a split of their own"
    )
    shape: Shape = Field(Shape(), description="sizes of the model")
    teaching: Teaching = Field(Teaching(), description="by a classifier of pictures")

    @model_validator(mode="after")
    def _goes_together(self) -> PretrainRecipe:
        if self.texts_anew and not self.start_from:
            raise ValueError("texts_anew keeps the tower of start_from; give that too")
        if self.patches_kept < 1 and self.teaching.teacher:
            raise ValueError("patches_kept hides what a teacher shows; leave one of them out")
        return self
