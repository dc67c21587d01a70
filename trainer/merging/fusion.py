"""How updates are combined, and the fused adapter on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from shared.errors import InputError
from shared.questions.folding import read_folding, write_folding
from shared.vqa.adapting.adapter_files import ADAPTER_WEIGHTS
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.families import load_answerer
from shared.vqa.inputs.instruction import (
    NO_INSTRUCTION,
    instruction_of_adapters,
    write_instruction,
)
from shared.vqa.inputs.question_length import limit_of_adapters, lower_question_limit
from shared.vqa.inputs.tokenizer_state import forget_last_texts
from shared.vqa.quantization import Quantization
from trainer.fitting.adapter import name_base

_FUSED: Final = "fused"


class Fusion(StrEnum):
    """How updates are combined: by weighted sum, TIES (arXiv:2306.01708), DARE (arXiv:2311.03099).

    The sum is exact and its rank is the sum of the ranks; the others prune the updates, combine
    them, and keep the same number of principal components.
    """

    LINEAR = "linear"
    TIES = "ties"
    DARE_LINEAR = "dare_linear"
    DARE_TIES = "dare_ties"


_PEFT_NAMES: Final = {
    # peft's own "linear", "ties" and so on combine A and B apart, so that every A meets every B;
    # these combine the updates B A.
    Fusion.LINEAR: "cat",
    Fusion.TIES: "ties_svd",
    Fusion.DARE_LINEAR: "dare_linear_svd",
    Fusion.DARE_TIES: "dare_ties_svd",
}
_AVERAGED_BY_ITSELF: Final = {Fusion.TIES, Fusion.DARE_TIES}
"""Methods that divide by the number of updates that agree, so that each has the weight 1."""


def shares_of(weights: Sequence[float], adapters: Sequence[Path], method: Fusion) -> list[float]:
    """Return the weight of each adapter, equal ones where none are given.

    Raises:
        InputError: there is not one for each.
    """
    if not weights:
        each = 1.0 if method in _AVERAGED_BY_ITSELF else 1 / len(adapters)
        return [each] * len(adapters)
    if len(weights) != len(adapters):
        raise InputError(f"{len(weights)} weights for {len(adapters)} adapters; give one for each")
    return list(weights)


def write_fused(
    folder: Path,
    *,
    base: str,
    adapters: Sequence[Path],
    weights: Sequence[float],
    method: Fusion,
    density: float,
) -> int:
    """Write the fused adapter, computed in float32; return its rank.

    Args:
        folder: where to write it.
        base: of all adapters.
        adapters: folders of compatible adapters.
        weights: one for each of them.
        method: how their updates are combined.
        density: share of an update that TIES and DARE keep.
    """
    instruction = instruction_of_adapters(NO_INSTRUCTION, adapters)
    answerer = load_answerer(
        base,
        quantization=Quantization.NONE,
        device=torch.device("cpu"),
        instruction=instruction,
    )
    model = answerer.model
    ids = [f"adapter_{number}" for number in range(len(adapters))]
    with quiet_renames():
        peft = PeftModel.from_pretrained(model.network, str(adapters[0]), adapter_name=ids[0])
        for name, adapter in zip(ids[1:], adapters[1:], strict=True):
            peft.load_adapter(str(adapter), adapter_name=name)
        # The new adapter takes its configuration from the first one, and the scale of each is
        # already in the sum: with rsLoRA it would be scaled twice.
        peft.peft_config[ids[0]].use_rslora = False
        rank: int = sum(peft.peft_config[name].r for name in ids)
        peft.add_weighted_adapter(
            ids,
            list(weights),
            _FUSED,
            combination_type=_PEFT_NAMES[method],
            svd_rank=None if method is Fusion.LINEAR else rank,
            svd_full_matrices=False,
            density=None if method is Fusion.LINEAR else density,
        )
    replace(peft.peft_config[_FUSED], inference_mode=True).save_pretrained(str(folder))
    name_base(base, folder)
    # Else peft asks the hub whether the base's vocabulary has grown.
    tensors = get_peft_model_state_dict(peft, adapter_name=_FUSED, save_embedding_layers=False)
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / ADAPTER_WEIGHTS)
    if answerer.cuts_questions:
        lower_question_limit(model.tokenizer, limit_of_adapters(adapters))
    forget_last_texts(model.tokenizer)
    model.tokenizer.save_pretrained(str(folder))
    model.image_processor.save_pretrained(str(folder))
    write_folding(read_folding(adapters[0]), folder)
    write_instruction(model.instruction, folder)
    return rank
