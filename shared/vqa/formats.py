"""Formats of a base's weights: what each asks of transformers, and what this machine lacks for it.

QLoRA's NF4 with double quantisation: Dettmers et al. 2023, arXiv:2305.14314. LLM.int8: Dettmers et
al. 2022, arXiv:2208.07339. HQQ is done here (``shared.vqa.packed``): of transformers 5.23, the
quantiser of that name refuses a CPU, and elsewhere ends in ``NotImplementedError``.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from bitsandbytes.nn import Linear4bit
from peft.utils.integrations import dequantize_module_weight
from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel

from shared.errors import InputError
from shared.vqa.loaded import compute_dtype
from shared.vqa.nf4 import BlocksAcrossRows, read_blocks_as_stored
from shared.vqa.packed.rounding import is_packed, round_half_quadratic
from shared.vqa.quantization import HALF_QUADRATIC_BITS, Quantization

_PACKAGES: Final = {
    Quantization.AO_INT8: ("torchao",),
    Quantization.AO_INT4: ("torchao", "mslk"),
    Quantization.GPTQ: ("gptqmodel", "optimum"),
    Quantization.AUTOROUND: ("auto_round",),
}
_ON_A_GPU: Final = frozenset({Quantization.AO_INT4, Quantization.GPTQ, Quantization.AUTOROUND})
_CHECKPOINTS: Final = {Quantization.GPTQ: "gptq", Quantization.AUTOROUND: "auto-round"}
"""Formats that loading does not make, by the name in a checkpoint's configuration."""
_MADE_BY: Final = {"bitsandbytes": (Quantization.NF4, Quantization.INT8)}
_GROUP: Final = 64
"""Of torchao's 4 bits; torchao refuses layers whose width is no multiple of it."""


def require_format(
    model: str, config: PretrainedConfig, quantization: Quantization, device: torch.device
) -> None:
    """Check, before weights are read, that a model can be held so on this machine.

    Raises:
        InputError: a package or a GPU is missing, or a checkpoint is held in another format.
    """
    asked, made = f"--quantize {quantization.value}", _made_by(config)
    missing = [
        name for name in _PACKAGES.get(quantization, ()) if importlib.util.find_spec(name) is None
    ]
    gpu = quantization in _ON_A_GPU
    if (gpu and device.type != "cuda") or missing:
        needs = " and ".join(
            [*(["a GPU"] if gpu else []), *(f"the package {name}" for name in missing)]
        )
        way_out = "take nf4, int8 or hqq4"
        if made:
            way_out = f"give the model that {model} was made of, and {way_out}"
        raise InputError(f"{asked}: needs {needs}, which this machine lacks; {way_out}")
    if quantization in _CHECKPOINTS and made != _CHECKPOINTS[quantization]:
        raise InputError(
            f"{asked}: {model} is no checkpoint that {quantization.value} made; give one, or "
            "another --quantize"
        )
    fitting = _MADE_BY.get(made, tuple(q for q, name in _CHECKPOINTS.items() if name == made))
    if made and quantization not in fitting:
        named = " or ".join(q.value for q in fitting)
        so = f"ask for that (--quantize {named}) where there is the choice, or " if named else ""
        raise InputError(
            f"{model}: is held in {made} already, which cannot be had as {quantization.value}; "
            f"{so}give the model that it was made of"
        )


def _made_by(config: PretrainedConfig) -> str:
    """Return what a checkpoint was quantised by; empty where it is none."""
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return ""
    method = settings.get("quant_method", "") if isinstance(settings, dict) else ""
    return str(method or getattr(settings, "quant_method", "unknown"))


def format_arguments(quantization: Quantization, device: torch.device) -> dict[str, Any]:
    """Return what ``from_pretrained`` is told so that it loads weights in a format."""
    match quantization:
        case Quantization.NF4:
            settings: Any = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=compute_dtype(device),
            )
        case Quantization.INT8:
            # Above a threshold, columns are computed apart that are large anywhere in the batch,
            # so that an answer would depend on the questions beside it.
            settings = BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=0.0)
        case Quantization.AO_INT8 | Quantization.AO_INT4:
            settings = _torchao(quantization)
        case Quantization.GPTQ | Quantization.AUTOROUND:
            return {"device_map": {"": device}}
        case _:
            return {}
    return {"quantization_config": settings, "device_map": {"": device}}


def _torchao(quantization: Quantization) -> Any:  # noqa: ANN401 (of a package that may be missing)
    with quiet_formats():
        from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig  # noqa: PLC0415
        from transformers import TorchAoConfig  # noqa: PLC0415

        if quantization is Quantization.AO_INT8:
            return TorchAoConfig(Int8WeightOnlyConfig())
        return TorchAoConfig(Int4WeightOnlyConfig(group_size=_GROUP))


def settle_format(
    network: PreTrainedModel, quantization: Quantization, device: torch.device
) -> None:
    """Do to a network what ``from_pretrained`` left to be done for its format, in place."""
    bits = HALF_QUADRATIC_BITS.get(quantization)
    if bits is not None:
        round_half_quadratic(network, bits)
    if bits is not None or quantization is Quantization.NONE:
        network.to(device)
    else:
        _use_portable_kernels(network)
        read_blocks_as_stored(network)


def _use_portable_kernels(network: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking weights on CPUs with AVX512-BF16.

    The repacked path rounds to bfloat16, so that answers would depend on the kind of CPU; it
    wants a kernel from a hub, and fails on layers whose input is not a multiple of 64 wide.
    """
    for module in network.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def is_rounded(network: PreTrainedModel) -> bool:
    """Return whether a network's weights are not those of its checkpoint, but rounded."""
    return getattr(network, "hf_quantizer", None) is not None or is_packed(network)


@torch.no_grad()
def exact_weight(layer: torch.nn.Module) -> torch.Tensor:
    """Return the weight that a layer computes with, whatever it is held in, in float32."""
    weight: torch.Tensor = (
        layer.weight_as_stored()
        if isinstance(layer, BlocksAcrossRows)
        else dequantize_module_weight(layer)
    )
    return weight.detach().float()


@contextmanager
def quiet_formats() -> Iterator[None]:
    """Keep off the terminal what torchao says of kernels for other machines."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
