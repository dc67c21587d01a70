"""A network with packed weights in a folder of safetensors, and out of it again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from accelerate import init_empty_weights
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel
from transformers.utils import GENERATION_CONFIG_NAME

from shared.errors import InputError
from shared.vqa.packed.layers import (
    PackedEmbedding,
    PackedLinear,
    packed_table,
    unpacked_table,
)
from shared.vqa.packed.record import WEIGHTS, PackedPart, PackedRecord
from shared.vqa.packed.whole import PACKED_TENSORS


def packed_tensors(network: PreTrainedModel) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return a network's tensors to store, and by the name of each that is another one the other's.

    What is not packed is stored in 16 bits.
    """
    kept: dict[str, torch.Tensor] = {}
    shared: dict[str, str] = {}
    first: dict[tuple[int, torch.Size], str] = {}
    for name, tensor in network.state_dict().items():
        place = (tensor.data_ptr(), tensor.shape)
        if tensor.numel() and place in first:
            shared[name] = first[place]
            continue
        first[place] = name
        kept[name] = (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
    return kept, shared


def write_packed_network(network: PreTrainedModel, folder: Path) -> dict[str, str]:
    """Write weights and configuration; return the names of tensors stored under another's.

    The folder is made where it is not there, as ``save_pretrained`` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept, shared = packed_tensors(network)
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})
    network.config.architectures = [type(network).__name__]
    network.config.save_pretrained(folder)
    if network.can_generate():
        # It says which tokens end an answer, which the configuration may not.
        network.generation_config.save_pretrained(folder)
    return shared


def read_packed_network(
    folder: Path,
    record: PackedRecord,
    config: PretrainedConfig,
    network_class: type[PreTrainedModel],
    dtype: torch.dtype,
) -> PreTrainedModel:
    """Return the network of a folder on the CPU, its packed layers packed.

    Raises:
        InputError: tensors are missing, of another shape or unreadable.
    """
    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder / WEIGHTS}: not a safetensors file ({error})") from error
    _require_sound(folder, tensors)
    with init_empty_weights(include_buffers=False):
        network = network_class(config)
    if (folder / GENERATION_CONFIG_NAME).is_file():
        network.generation_config = GenerationConfig.from_pretrained(folder)
    # Tensors of the file take the places, whatever sizes the record claims.
    with torch.device("meta"):
        for part in record.parts:
            for name in part.names:
                _put(folder, network, name, part, dtype)
    state = {name: _as_computed_with(name, tensor, dtype) for name, tensor in tensors.items()}
    for name, other in record.shared.items():
        if other in state:
            state[name] = state[other]
    return _filled(folder, network, state)


def _require_sound(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Check that codes are codes, and that scales and zero points are numbers.

    Raises:
        InputError: some are not.
    """
    for name, tensor in tensors.items():
        kind = name.rpartition(".")[2]
        if kind not in PACKED_TENSORS:
            continue
        expected = torch.uint8 if kind == "codes" else torch.float16
        if tensor.dtype is not expected or not tensor.isfinite().all():
            raise InputError(
                f"{folder / WEIGHTS}: {name} is damaged; quantize the model again, or copy its "
                "folder again"
            )


def _as_computed_with(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    if tensor.is_floating_point() and name.rpartition(".")[2] not in PACKED_TENSORS:
        return tensor.to(dtype)
    return tensor


def _put(
    folder: Path, network: PreTrainedModel, name: str, part: PackedPart, dtype: torch.dtype
) -> None:
    try:
        layer = network.get_submodule(name)
    except AttributeError as error:
        raise InputError(
            f"{folder}: {name} is packed, which a model of its configuration does not have"
        ) from error
    if isinstance(layer, torch.nn.Embedding):
        if tuple(layer.weight.shape) != part.shape:
            raise InputError(
                f"{folder}: {name} is packed as {part.shape}, and its configuration has "
                f"{tuple(layer.weight.shape)}"
            )
        network.set_submodule(name, packed_table(layer, part.bits, part.groups, dtype))
        return
    with_bias = getattr(layer, "bias", None) is not None
    network.set_submodule(
        name, PackedLinear(part.shape, part.bits, part.groups, dtype, bias=with_bias)
    )


def _filled(
    folder: Path, network: PreTrainedModel, state: Mapping[str, torch.Tensor]
) -> PreTrainedModel:
    try:
        outcome = network.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise InputError(
            f"{folder}: its weights do not fit its configuration ({reason})"
        ) from error
    lacking = [*outcome.missing_keys, *outcome.unexpected_keys]
    if lacking:
        raise InputError(
            f"{folder}: {len(outcome.missing_keys)} tensors missing and "
            f"{len(outcome.unexpected_keys)} unexpected, such as {lacking[0]}; quantize it again"
        )
    return network


def unpack(network: PreTrainedModel) -> None:
    """Put plain layers in the place of packed ones, with the same rounded weights, in place."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, PackedEmbedding):
            network.set_submodule(name, unpacked_table(layer))
        elif isinstance(layer, PackedLinear):
            linear = torch.nn.Linear(layer.in_features, layer.out_features, bias=False)
            linear.weight = torch.nn.Parameter(layer.weight, requires_grad=False)
            linear.bias = layer.bias
            network.set_submodule(name, linear)
    network.tie_weights()
