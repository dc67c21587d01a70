"""The recipe of a LoRA fine-tuning run, with the defaults of the report (DESIGN.md)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.blip.loading import MAX_QUESTION_TOKENS, Quantization
from shared.settings import Settings

REPORT_TARGETS = ("q_proj", "k_proj", "v_proj", "query", "key", "value")
"""In BLIP these match the text towers alone; the vision tower's attention is one fused ``qkv``."""


class LoraRecipe(Settings):
    """LoRA (Hu et al. 2021): the update is ``alpha / rank * B A`` on every target."""

    rank: int = Field(16, gt=0)
    alpha: int = Field(32, gt=0)
    dropout: float = Field(0.05, ge=0, lt=1)
    targets: tuple[str, ...] = REPORT_TARGETS


class SplitRecipe(Settings):
    """How images are divided where the data does not say; shares by number of images."""

    train: float = Field(0.8, ge=0, le=1)
    validation: float = Field(0.1, ge=0, le=1)
    test: float = Field(0.1, ge=0, le=1)
    seed: int = 0


class FitRecipe(Settings):
    """Everything that decides what ``trainer fit`` makes.

    ``batch_size`` counts questions of a micro-batch, ``accumulation`` micro-batches of a step.
    ``feature_store_gib`` bounds the disk that encoded images may take; 0 encodes every image anew
    for every batch that needs it.
    """

    model: str = "Salesforce/blip-vqa-base"
    data: Path
    images: Path
    out: Path
    quantize: Quantization = Quantization.NF4
    lora: LoraRecipe = LoraRecipe()
    split: SplitRecipe = SplitRecipe()
    epochs: int = Field(3, gt=0)
    learning_rate: float = Field(5e-5, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_min_steps: int = Field(100, ge=0)
    warmup_fraction: float = Field(0.1, ge=0, lt=1)
    batch_size: int = Field(8, gt=0)
    accumulation: int = Field(1, gt=0)
    evaluation_batch_size: int = Field(16, gt=0)
    max_question_tokens: int = Field(MAX_QUESTION_TOKENS, gt=4)
    max_answer_tokens: int = Field(MAX_QUESTION_TOKENS, gt=2)
    max_grad_norm: float = Field(1.0, gt=0)
    gradient_checkpointing: bool = True
    feature_store_gib: float = Field(16.0, ge=0)
    checkpoint_every_steps: int = Field(500, gt=0)
    seed: int = 0
