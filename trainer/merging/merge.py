"""Merges an adapter into its base: W0 + BA in 16 bits, no adapter left, and what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoProcessor, PreTrainedModel

from shared.errors import AboVqaError
from shared.files.atomic import new_folder
from shared.hub.figures import CardFigure
from shared.questions.folding import write_folding
from shared.vqa.adapting.rounded_together import is_rounded_together
from shared.vqa.answerer import Answerer
from shared.vqa.families import load_answerer
from shared.vqa.inputs.instruction import write_instruction
from shared.vqa.inputs.tokenizer_state import forget_last_texts
from shared.vqa.loaded import LoadedModel
from shared.vqa.names.model_names import quiet_transformers, resolve_model
from shared.vqa.names.public_name import public_name
from shared.vqa.packed.place import packed_folder
from shared.vqa.packed.record import WEIGHTS
from shared.vqa.quantization import Quantization
from trainer.fitting.adapter import base_weight, lora_layers
from trainer.fitting.record import RunRecord, require_record
from trainer.learners.families import learner_class
from trainer.merging.cards import merged_card
from trainer.merging.carrying import carry_training_images
from trainer.merging.domains import Domain, exact_match_in, kept_domain
from trainer.merging.packing import write_merged_packed
from trainer.recipe.recipe import LoraStart

BASE, ADAPTER, MERGED, MERGED_NF4 = "base", "base + adapter", "merged", "merged, in 4 bit again"

_HELD: Final = {MERGED: Quantization.NONE, MERGED_NF4: Quantization.NF4}
_HELD_PACKED: Final = {MERGED: Quantization.PACKED}
"""How the merged model is held for each figure."""
_MADE: Final = "W0 + BA in float16, no adapter left"
_MADE_PACKED: Final = (
    "W0 + BA rounded to the bits of the packed base, no adapter left. The\ncommands of abo-vqa "
    "load it; plain transformers does not know its layers"
)


class NotFinite(AboVqaError):
    """Merged weights are too large for 16 bits."""


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What was written, and exact match in [0, 1] by stage, on the adapter's held-out pairs.

    ``unpacked_from_bytes`` is the size of a packed base's weights where those that were written are
    in 16 bits, else 0.
    """

    folder: Path
    split: str
    pairs: int
    quantization: str
    exact_match: dict[str, float]
    weights_bytes: int = 0
    unpacked_from_bytes: int = 0

    @property
    def difference(self) -> float:
        """What merging changed: merged in 16 bits less base and adapter as they were trained."""
        return self.exact_match[MERGED] - self.exact_match[ADAPTER]

    def sentence(self) -> str:
        """Return what merging did: to the answers, and to a packed base's size."""
        changed = f"{self.folder}: merging changed exact match by {self.difference:+z.4f}"
        if not self.unpacked_from_bytes:
            return changed
        return (
            f"{changed}; its weights take {self.weights_bytes / 1e6:.2f} MB, its packed base's "
            f"{self.unpacked_from_bytes / 1e6:.2f}: an adapter that is trained with "
            "lora.rounded = true is merged at the base's size"
        )


def merge(adapter: Path, out: Path, images: Path | None = None) -> MergeResult:
    """Write the merged model to ``out``, a folder that plain transformers loads.

    An adapter that is rounded together with its base makes a packed model, as its base is.

    Raises:
        InputError: the adapter, its pairs or its images cannot be used, or ``out`` exists.
        NotFinite: the merged weights do not fit into 16 bits.
    """
    record = require_record(adapter)
    domain = kept_domain(adapter, record, images)
    with new_folder(out) as part:
        quantization = Quantization(record.quantization)
        trained = load_answerer(record.base, adapter=adapter, quantization=quantization)
        scores = _scores_with_and_without(trained, domain)
        packed = is_rounded_together(adapter)
        _save_merged(trained.model, adapter, record, part)
        for stage, held in (_HELD_PACKED if packed else _HELD).items():
            answerer = load_answerer(str(part), quantization=held)
            scores[stage] = exact_match_in(domain, answerer, _told(stage))
        result = MergeResult(
            out,
            domain.split,
            len(domain.held_out),
            record.quantization,
            scores,
            weights_bytes=sum(file.stat().st_size for file in part.glob("*.safetensors")),
            unpacked_from_bytes=0 if packed else _packed_bytes(record.base),
        )
        card = merged_card(
            name=out.resolve().name,
            base=public_name(record.base),
            family=learner_class(record.base).family,
            figure=CardFigure(
                "exact_match",
                scores[MERGED],
                result.pairs,
                data=adapter.resolve().name,
                split=result.split,
            ),
            quantization=result.quantization,
            made=_MADE_PACKED if packed else _MADE,
            exact_match=result.exact_match,
        )
        (part / "README.md").write_text(card, encoding="utf-8")
        carry_training_images(record.base, [adapter], part)
    return result


def _packed_bytes(base: str) -> int:
    folder = packed_folder(base)
    return 0 if folder is None else (folder / WEIGHTS).stat().st_size


def write_merged(adapter: Path, record: RunRecord, folder: Path) -> None:
    """Write the merged model alone, without scores and card.

    Raises:
        NotFinite: the merged weights do not fit into 16 bits.
    """
    quantization = Quantization(record.quantization)
    trained = load_answerer(record.base, adapter=adapter, quantization=quantization).model
    _save_merged(trained, adapter, record, folder)


def _scores_with_and_without(answerer: Answerer[Any, Any], domain: Domain) -> dict[str, float]:
    assert answerer.model.peft is not None
    with answerer.model.peft.disable_adapter():
        base = exact_match_in(domain, answerer, _told(BASE))
    return {BASE: base, ADAPTER: exact_match_in(domain, answerer, _told(ADAPTER))}


def _told(stage: str) -> str:
    return f"exact match of {stage}"


@torch.no_grad()
def _merged(trained: LoadedModel, adapter: Path, record: RunRecord) -> PreTrainedModel:
    """Return the model with the update added in float32, then rounded to 16 bits once."""
    exact = load_answerer(
        record.base, adapter=adapter, quantization=Quantization.NONE, device=torch.device("cpu")
    ).model
    assert exact.peft is not None
    assert trained.peft is not None
    if record.lora_start == LoraStart.LOFTQ:
        # Such an adapter already makes up for what 4 bits round off, so it belongs to Q(W).
        rounded = lora_layers(trained.peft)
        for name, layer in lora_layers(exact.peft).items():
            layer.get_base_layer().weight.copy_(base_weight(rounded[name]).cpu())
    model: PreTrainedModel = exact.peft.merge_and_unload(safe_merge=False).half()
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise NotFinite(f"{name}: the merged weights do not fit into 16 bits")
    return model


def _save_merged(trained: LoadedModel, adapter: Path, record: RunRecord, folder: Path) -> None:
    if is_rounded_together(adapter):
        write_merged_packed(trained, folder)
    else:
        model = _merged(trained, adapter, record)
        with quiet_transformers():
            model.save_pretrained(folder)
    save_beside_weights(trained, folder)


def save_beside_weights(trained: LoadedModel, folder: Path) -> None:
    """Write what a model reads questions and pictures by into the folder of its weights."""
    with quiet_transformers():
        processor = AutoProcessor.from_pretrained(
            resolve_model(trained.name), trust_remote_code=False
        )
    processor.image_processor, processor.tokenizer = trained.image_processor, trained.tokenizer
    forget_last_texts(trained.tokenizer)
    processor.save_pretrained(folder)
    write_folding(trained.folding, folder)
    write_instruction(trained.instruction, folder)
