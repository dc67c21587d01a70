"""What a replica loads and how it answers, checked before any replica starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from evaluator.answering.bundle import bundle_instruction
from shared.errors import InputError
from shared.images.source import image_source
from shared.images.stores import is_url
from shared.onnx_vqa import is_bundle
from shared.vqa.adapting.adapters import require_applicable
from shared.vqa.adapting.rounded_together import require_its_base
from shared.vqa.families import effective_instruction, require_instruction
from shared.vqa.inputs.instruction import NO_INSTRUCTION, Instruction
from shared.vqa.inputs.question_length import limit_of_adapters
from shared.vqa.loaded import best_device
from shared.vqa.loading import held_here, read_config
from shared.vqa.names.model_names import resolve_model
from shared.vqa.quantization import Quantization, held_as


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """What a replica loads and how it answers; paths as the replica's machine sees them.

    ``batch_size`` counts questions. ``measure_grounding`` asks for VTGS's visual term too, which
    takes a backward pass through the text towers. ``adapters`` holds names and folders; each
    answers the questions of the domain of its name. Where there are some, ``adapter`` is empty.
    """

    model: str
    adapter: str
    quantization: Quantization
    images: str
    batch_size: int
    measure_grounding: bool
    adapters: tuple[tuple[str, str], ...] = ()
    instruction: Instruction = NO_INSTRUCTION


def replica_settings(
    model: str,
    adapter: Path | None,
    quantization: str,
    images: Path | str,
    *,
    batch_size: int,
    measure_grounding: bool = False,
    adapters: Mapping[str, Path] | None = None,
    instruction: Instruction = NO_INSTRUCTION,
    device: torch.device | None = None,
) -> ReplicaSettings:
    """Return settings with absolute paths, so that actors elsewhere on the machine find them.

    ``images`` is a folder or a URL, see ``shared.images.source``. ``device`` is where the model
    will be held, by default the best one here; ``meta`` where that is another machine's.

    Raises:
        InputError: no such images folder, model or adapter, or they do not go together.
    """
    image_source(str(images))
    named = adapters or {}
    asked = [*named.values(), *([] if adapter is None else [adapter])]
    source = model if is_bundle(model) else resolve_model(model)
    held = _held(model, Quantization(quantization), device or best_device())
    for folder in asked:
        require_applicable(folder, rounded=held is not Quantization.NONE)
        require_its_base(folder, model, held)
    if is_bundle(model) and asked:
        raise InputError(f"{model}: an exported model takes no --adapter; export it merged in")
    if not is_bundle(model):
        instruction = effective_instruction(model, instruction, asked)
        require_instruction(model, instruction)
    elif instruction != NO_INSTRUCTION:
        raise InputError(f"{model}: an exported model takes no --prompt and no --max-new-tokens")
    else:
        instruction = bundle_instruction(model)
    limit_of_adapters(asked)
    return ReplicaSettings(
        model=str(Path(model).resolve()) if Path(source).is_dir() and model == source else model,
        adapter="" if adapter is None else str(adapter.resolve()),
        quantization=held,
        images=str(images) if is_url(str(images)) else str(Path(images).resolve()),
        batch_size=batch_size,
        measure_grounding=measure_grounding,
        adapters=tuple((name, str(folder.resolve())) for name, folder in named.items()),
        instruction=instruction,
    )


def _held(model: str, asked: Quantization, device: torch.device) -> Quantization:
    """Return how a model is held, told now rather than by a replica that does not start."""
    if is_bundle(model) or device.type == "meta":
        return held_as(model, asked)
    return held_here(model, read_config(model), asked, device)
