"""Loads a base, in 4 bit or not, and applies an adapter, or says why it cannot.

QLoRA's NF4 with double quantisation: Dettmers et al. 2023, arXiv:2305.14314; LoRA: Hu et al. 2021,
arXiv:2106.09685. Only safetensors are read: a pickle can run code.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, PeftConfig, PeftModel, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoTokenizer,
    BitsAndBytesConfig,
    BlipConfig,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from shared.errors import AdapterNotApplied, InputError
from shared.vqa.blip.forward import heed_question_mask

EMBEDDED_MODEL = "blip-vqa-tiny"
EMBEDDED_MODEL_DIR = Path(__file__).resolve().parent.parent / "blip_vqa_tiny"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
MAX_QUESTION_TOKENS = 128


class Quantization(StrEnum):
    """How the base's weights are held."""

    NF4 = "nf4"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A base with its processor, ready on a device; ``adapter_sha256`` is empty without adapter.

    ``blip`` holds the adapter's layers in place; ``peft`` is the wrapper that saves them.
    """

    blip: BlipForQuestionAnswering
    peft: PeftModel | None
    tokenizer: PreTrainedTokenizerBase
    image_processor: BlipImageProcessorPil
    device: torch.device
    name: str
    revision: str
    quantization: Quantization
    adapter_sha256: str = ""


def best_device() -> torch.device:
    """Return the first CUDA device, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return what 4-bit weights are computed in: bfloat16 where supported, else float16.

    On a CPU it is float32, which is exact and no slower there.
    """
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def resolve_model(model: str) -> str:
    """Return the folder or hub id that ``model`` names.

    Raises:
        InputError: it looks like a path, and no model folder is there.
    """
    if model == EMBEDDED_MODEL:
        return str(EMBEDDED_MODEL_DIR)
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(f"{model}: not a model folder (config.json is missing)")
        return str(path)
    looks_like_hub_id = model.count("/") <= 1 and not model.startswith((".", "~", os.sep))
    if path.exists() or not looks_like_hub_id:
        raise InputError(
            f"{model}: no such model folder; give a folder, a hub id or {EMBEDDED_MODEL}"
        )
    return model


def load_model(
    model: str,
    *,
    adapter: Path | None = None,
    quantization: Quantization = Quantization.NF4,
    device: torch.device | None = None,
) -> LoadedModel:
    """Load a base for inference or training, frozen, in evaluation mode.

    Raises:
        InputError: ``model`` or ``adapter`` cannot be found or is of a kind that we do not know.
        AdapterNotApplied: the adapter does not fit the base or changes nothing.
    """
    device = device or best_device()
    source = resolve_model(model)
    with _quiet_transformers(), _hub_errors(model):
        config = AutoConfig.from_pretrained(source)
        if config.model_type != "blip":
            raise InputError(
                f"{model}: is a {config.model_type!r} model; only BLIP for VQA is supported so far"
            )
        blip = BlipForQuestionAnswering.from_pretrained(
            source,
            config=config,
            use_safetensors=True,
            dtype=compute_dtype(device),
            **_quantization_arguments(quantization, device),
        )
        tokenizer = AutoTokenizer.from_pretrained(source)
        image_processor = BlipImageProcessorPil.from_pretrained(source)
    if quantization is Quantization.NONE:
        blip.to(device)
    else:
        _use_portable_kernels(blip)
    heed_question_mask(blip)
    blip.requires_grad_(requires_grad=False).eval()
    peft = None if adapter is None else apply_adapter(blip, adapter)
    return LoadedModel(
        blip=blip,
        peft=peft,
        tokenizer=tokenizer,
        image_processor=image_processor,
        device=device,
        name=model,
        revision=_revision(source, config),
        quantization=quantization,
        adapter_sha256="" if adapter is None else adapter_digest(adapter),
    )


def apply_adapter(blip: BlipForQuestionAnswering, adapter: Path) -> PeftModel:
    """Put a PEFT adapter's layers into ``blip``, in place, and check that they took.

    Raises:
        InputError: the folder is not an adapter with safetensors.
        AdapterNotApplied: tensors are missing, unexpected or of another shape, or every
            ``lora_B`` is zero.
    """
    weights = require_adapter(adapter)
    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        raise InputError(f"{weights}: not a safetensors file ({error})") from error
    config = _adapter_config(adapter)
    config.inference_mode = True
    try:
        with quiet_renames():
            peft = PeftModel(blip, config)
        outcome = set_peft_model_state_dict(peft, tensors)
    except (ValueError, RuntimeError) as error:
        raise AdapterNotApplied(f"{adapter}: does not fit the base ({error})") from error
    missing = [name for name in outcome.missing_keys if "lora_" in name]
    if missing or outcome.unexpected_keys:
        example = (missing or outcome.unexpected_keys)[0]
        raise AdapterNotApplied(
            f"{adapter}: {len(missing)} tensors missing and {len(outcome.unexpected_keys)} "
            f"unexpected, such as {example}; was it trained on another base?"
        )
    if not any(tensor.any() for name, tensor in tensors.items() if "lora_B" in name):
        raise AdapterNotApplied(f"{adapter}: every lora_B is zero, so it changes nothing")
    peft.eval()
    return peft


def require_adapter(adapter: Path) -> Path:
    """Return the weights file of an adapter folder.

    Raises:
        InputError: the folder is missing or is not an adapter with safetensors.
    """
    if not (adapter / ADAPTER_CONFIG).is_file():
        raise InputError(f"{adapter}: not an adapter folder ({ADAPTER_CONFIG} is missing)")
    weights = adapter / ADAPTER_WEIGHTS
    if not weights.is_file():
        raise InputError(
            f"{adapter}: {ADAPTER_WEIGHTS} is missing; pickled adapters (.bin) are not loaded"
        )
    return weights


def _adapter_config(adapter: Path) -> LoraConfig:
    path = adapter / ADAPTER_CONFIG
    try:
        config = PeftConfig.from_pretrained(str(adapter))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a configuration that peft knows ({error!r})") from error
    if not isinstance(config, LoraConfig):
        raise InputError(f"{path}: peft_type {config.peft_type} is not LORA, the only one known")
    return config


def adapter_digest(adapter: Path) -> str:
    """Return the SHA-256 of an adapter's configuration and weights."""
    digest = hashlib.sha256()
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        digest.update((adapter / name).read_bytes())
    return digest.hexdigest()


def _use_portable_kernels(blip: BlipForQuestionAnswering) -> None:
    """Keep bitsandbytes from repacking weights on CPUs with AVX512-BF16.

    The repacked path rounds to bfloat16, so that answers would depend on the kind of CPU; it
    wants a kernel from a hub, and fails on layers whose input is not a multiple of 64 wide.
    """
    for module in blip.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _revision(source: str, config: BlipConfig) -> str:
    commit = getattr(config, "_commit_hash", None)
    if commit:
        return str(commit)
    digest = hashlib.sha256()
    for file in sorted(Path(source).glob("*.safetensors")):
        with file.open("rb") as weights:
            digest.update(hashlib.file_digest(weights, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"


def _quantization_arguments(quantization: Quantization, device: torch.device) -> dict[str, Any]:
    if quantization is Quantization.NONE:
        return {}
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute_dtype(device),
        ),
        "device_map": {"": device},
    }


@contextmanager
def quiet_renames() -> Iterator[None]:
    """Hide that transformers renames gradient checkpointing: peft knows the old name alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*gradient_checkpointing.*", FutureWarning)
        yield


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def _hub_errors(model: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{model}: cannot be loaded ({reason}); give a model folder with safetensors, "
            f"a hub id that this machine can fetch, or {EMBEDDED_MODEL}"
        ) from error
