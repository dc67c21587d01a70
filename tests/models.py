"""Tiny real BLIP models with random weights: the architecture is the real one, only small.

The weights are drawn wider than BLIP's own, so that answers differ between images and questions
and a mistake in either shows.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import BertTokenizerFast, BlipForQuestionAnswering

from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.blip.answerer import BlipAnswerer
from shared.vqa.loaded import LoadedModel
from shared.vqa.loading import load_blip
from shared.vqa.packed.folder import write_packed_network
from shared.vqa.packed.layers import PackedLinear
from shared.vqa.packed.record import PackedPart, PackedRecord, write_packed_record
from shared.vqa.quantization import Quantization
from trainer.learners.blip import BlipLearner
from trainer.learners.learner import TokenLimits
from trainer.pretraining.recipe import Shape
from trainer.pretraining.scratch import SPECIAL_TOKENS, new_model, new_processor

SHAPE = Shape(
    width=64,
    heads=2,
    vision_layers=2,
    question_layers=2,
    image_size=32,
    patch_size=8,
    vocabulary=200,
    max_text_tokens=64,
    dropout=0.0,
)
QUESTIONS = (
    "what color is the shape",
    "what shape is it",
    "is there a circle",
    "how many sides does the large shape in the middle of the picture have",
    "what",
    "is the shape that is shown in this picture red or is it blue or green",
)
ANSWERS = ("red", "green", "blue", "black", "circle", "square", "triangle", "yes", "no", "four")
TEXT_TARGETS = ("query", "key", "value", "dense")
WEIGHT_STD = 0.15
END_BIAS = 1.0
"""Makes random weights end some answers early, at different lengths."""


def save_tiny_model(folder: Path, seed: int = 2, shape: Shape = SHAPE) -> Path:
    """Write a model folder, the same one for the same seed."""
    torch.manual_seed(seed)
    tokenizer = word_tokenizer()
    model = new_model(shape, tokenizer)
    _widen(model, tokenizer.sep_token_id)
    model.save_pretrained(folder)
    new_processor(shape, tokenizer).save_pretrained(folder)
    return folder


def save_tiny_adapter(
    folder: Path,
    model: Path,
    *,
    targets: Sequence[str] = TEXT_TARGETS,
    rank: int = 4,
    seed: int = 3,
) -> Path:
    """Write an adapter with random, not zero, weights for the model in a folder."""
    peft = new_adapter(load_float(model), targets=targets, rank=rank, seed=seed)
    peft.save_pretrained(folder)
    return folder


def save_packed_model(folder: Path, model: Path, quantization: Quantization) -> Path:
    """Write the model in a folder with the linear layers packed that a format rounds."""
    loaded = load_blip(str(model), quantization=quantization, device=torch.device("cpu"))
    parts = tuple(
        PackedPart((name,), layer.shape, layer.bits, layer.in_features // layer.scales.shape[1])
        for name, layer in loaded.network.named_modules()
        if isinstance(layer, PackedLinear)
    )
    folder.mkdir(parents=True, exist_ok=True)
    shared = write_packed_network(loaded.network, folder)
    record = PackedRecord(parts, shared, str(model), loaded.revision, "hqq")
    write_packed_record(record, folder)
    loaded.tokenizer.save_pretrained(folder)
    loaded.image_processor.save_pretrained(folder)
    return folder


def new_adapter(
    model: LoadedModel, *, targets: Sequence[str] = TEXT_TARGETS, rank: int = 4, seed: int = 3
) -> PeftModel:
    """Put LoRA layers with random weights into a loaded model."""
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(targets))
    with quiet_renames():
        peft = get_peft_model(model.blip, config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            if "lora_" in name:
                weight.normal_(0, 0.08)
    return peft


def load_float(model: Path, adapter: Path | None = None) -> LoadedModel:
    """Load a model in float32 on the CPU."""
    return load_blip(
        str(model),
        adapter=adapter,
        quantization=Quantization.NONE,
        device=torch.device("cpu"),
    )


def load_nf4(model: Path, adapter: Path | None = None) -> LoadedModel:
    """Load a model in 4 bit on the CPU."""
    return load_blip(
        str(model), adapter=adapter, quantization=Quantization.NF4, device=torch.device("cpu")
    )


def learner_of_blip(model: LoadedModel) -> BlipLearner:
    """Return what trains a loaded model."""
    return BlipLearner(BlipAnswerer(model), TokenLimits(64, 64))


def word_tokenizer() -> BertTokenizerFast:
    """Return a WordPiece tokenizer that knows the words of ``QUESTIONS`` and ``ANSWERS``."""
    # Spelled out: a learned vocabulary breaks its ties at random, in every process anew.
    known = sorted({word for text in (*QUESTIONS, *ANSWERS) for word in text.split()})
    letters = [mark + letter for mark in ("", "##") for letter in string.ascii_lowercase]
    pieces = dict.fromkeys([*SPECIAL_TOKENS, *letters, *known])
    return BertTokenizerFast(
        vocab={piece: number for number, piece in enumerate(pieces)},
        do_lower_case=True,
        bos_token="[DEC]",
        model_max_length=SHAPE.max_text_tokens,
    )


def _widen(model: BlipForQuestionAnswering, end: int) -> None:
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, WEIGHT_STD)
        model.text_decoder.cls.predictions.bias[end] += END_BIAS
