"""Loads a base, in 4 bit or not, and applies an adapter, or says why it cannot.

QLoRA's NF4 with double quantisation: Dettmers et al. 2023, arXiv:2305.14314; LoRA: Hu et al. 2021,
arXiv:2106.09685. Only safetensors are read: a pickle can run code.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
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
    BaseImageProcessor,
    BitsAndBytesConfig,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ViltForQuestionAnswering,
)
from transformers.utils import logging as transformers_logging

from shared.errors import AdapterNotApplied, InputError
from shared.onnx_vqa import MANIFEST
from shared.vqa.added_labels import (
    ADDED_LABELS,
    grow_head,
    make_head_trainable,
    read_added_labels,
)
from shared.vqa.blip.forward import heed_question_mask

EMBEDDED_MODEL = "blip-vqa-tiny"
EMBEDDED_MODEL_DIR = Path(__file__).resolve().parent.parent / "blip_vqa_tiny"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
MAX_QUESTION_TOKENS = 128
PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".ckpt"})
BLIP = "BlipForQuestionAnswering"
BLIP2 = "Blip2ForConditionalGeneration"
VILT = "ViltForQuestionAnswering"
_DEFAULT_ARCHITECTURES = {"blip": BLIP, "blip-2": BLIP2, "vilt": VILT}


class Quantization(StrEnum):
    """How the base's weights are held."""

    NF4 = "nf4"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A base with its processor, ready on a device; ``adapter_sha256`` is empty without adapter.

    ``network`` holds the adapter's layers in place; ``peft`` is the wrapper that saves them.
    """

    network: PreTrainedModel
    peft: PeftModel | None
    tokenizer: PreTrainedTokenizerBase
    image_processor: BaseImageProcessor
    device: torch.device
    name: str
    revision: str
    quantization: Quantization
    adapter_sha256: str = ""

    @property
    def blip(self) -> BlipForQuestionAnswering:
        """The network of a model that ``load_model`` loaded, which is a BLIP."""
        return self.network


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
            exported = sorted(path.glob(f"*/{MANIFEST}"))
            hint = f"; give one of its exports, such as {exported[0].parent}" if exported else ""
            raise InputError(f"{model}: not a model folder (config.json is missing){hint}")
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
    """Load a BLIP for VQA, for inference or training, frozen, in evaluation mode.

    Raises:
        InputError: ``model`` or ``adapter`` cannot be found, or ``model`` is no BLIP for VQA.
        AdapterNotApplied: the adapter does not fit the base or changes nothing.
    """
    config = read_config(model)
    if architecture(config) != BLIP:
        raise InputError(
            f"{model}: is a {architecture(config) or config.model_type}; only BLIP for VQA "
            f"({BLIP}) is trained so far"
        )
    return load_network(
        model,
        config,
        BlipForQuestionAnswering,
        BlipImageProcessorPil,
        adapter=adapter,
        quantization=quantization,
        device=device,
    )


def read_config(model: str) -> PretrainedConfig:
    """Return the configuration of the model that ``model`` names.

    Raises:
        InputError: no such folder, or no such model on a hub that can be reached.
    """
    source = resolve_model(model)
    with quiet_transformers(), hub_errors(model):
        return AutoConfig.from_pretrained(source)


def architecture(config: PretrainedConfig) -> str:
    """Return the name of the class that a checkpoint was saved from."""
    named = getattr(config, "architectures", None)
    return str(named[0]) if named else _DEFAULT_ARCHITECTURES.get(config.model_type, "")


def load_network(
    model: str,
    config: PretrainedConfig,
    network_class: type[PreTrainedModel],
    image_processor_class: type[BaseImageProcessor],
    *,
    adapter: Path | None,
    adapters: Mapping[str, Path] | None = None,
    quantization: Quantization,
    device: torch.device | None,
) -> LoadedModel:
    """Load any network with its processor, frozen, in evaluation mode.

    Of several ``adapters``, by name, the first is active; ``PeftModel.set_adapter`` changes that.

    Raises:
        InputError: weights are pickled, missing or broken, or ``adapter`` is no adapter.
        AdapterNotApplied: the adapter does not fit the base or changes nothing.
    """
    device = device or best_device()
    source = resolve_model(model)
    _refuse_pickles(model, Path(source))
    with quiet_transformers(), hub_errors(model):
        network, found = network_class.from_pretrained(
            source,
            config=config,
            use_safetensors=True,
            dtype=compute_dtype(device),
            output_loading_info=True,
            **_quantization_arguments(quantization, device),
        )
        tokenizer = AutoTokenizer.from_pretrained(source)
        image_processor = image_processor_class.from_pretrained(source)
    _require_all_weights(model, network_class, sorted(found["missing_keys"]))
    if quantization is Quantization.NONE:
        network.to(device)
    else:
        _use_portable_kernels(network)
    if architecture(config) == BLIP:
        heed_question_mask(network)
    network.requires_grad_(requires_grad=False).eval()
    peft = apply_adapters(network, adapters) if adapters else None
    if adapter is not None:
        peft = apply_adapter(network, adapter)
    return LoadedModel(
        network=network,
        peft=peft,
        tokenizer=tokenizer,
        image_processor=image_processor,
        device=device,
        name=model,
        revision=_revision(source, config),
        quantization=quantization,
        adapter_sha256=_digests(adapter, adapters or {}),
    )


def _refuse_pickles(model: str, folder: Path) -> None:
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLED)
    if pickles:
        raise InputError(
            f"{model}: has pickled weights alone ({pickles[0]}), which can run code and are not "
            "loaded; save the model as safetensors"
        )


def _require_all_weights(
    model: str, network_class: type[PreTrainedModel], missing: Sequence[str]
) -> None:
    """A layer without weights would be left as it was drawn at random, and answer."""
    if missing:
        raise InputError(
            f"{model}: lacks {len(missing)} tensors of a {network_class.__name__}, such as "
            f"{missing[0]}; it is a model for something else"
        )


def apply_adapter(network: PreTrainedModel, adapter: Path) -> PeftModel:
    """Put a PEFT adapter's layers into ``network``, in place, and check that they took.

    Raises:
        InputError: the folder is not an adapter with safetensors.
        AdapterNotApplied: tensors are missing, unexpected or of another shape, or every
            ``lora_B`` is zero.
    """
    tensors, config = _read_adapter(adapter)
    labels = read_added_labels(adapter)
    if labels and not isinstance(network, ViltForQuestionAnswering):
        raise AdapterNotApplied(f"{adapter}: adds labels to a classifier, which the base is not")
    try:
        if labels:
            make_head_trainable(network)
        with quiet_renames():
            peft = PeftModel(network, config)
        if labels:
            grow_head(network, labels)
        outcome = set_peft_model_state_dict(peft, tensors)
    except (KeyError, ValueError, RuntimeError) as error:
        raise AdapterNotApplied(f"{adapter}: does not fit the base ({error})") from error
    _require_applied(adapter, outcome, tensors)
    peft.eval()
    return peft


def apply_adapters(network: PreTrainedModel, adapters: Mapping[str, Path]) -> PeftModel:
    """Put several PEFT adapters into ``network``, in place, by name; the first is active.

    Raises:
        InputError: a folder is not an adapter with safetensors, or adds labels to a classifier.
        AdapterNotApplied: as ``apply_adapter``.
    """
    peft: PeftModel | None = None
    for name, adapter in adapters.items():
        if read_added_labels(adapter):
            raise InputError(f"{adapter}: adds labels to a classifier; such an adapter goes alone")
        tensors, config = _read_adapter(adapter)
        try:
            with quiet_renames():
                if peft is None:
                    peft = PeftModel(network, config, adapter_name=name)
                else:
                    peft.add_adapter(name, config)
            outcome = set_peft_model_state_dict(peft, tensors, adapter_name=name)
        except (KeyError, ValueError, RuntimeError) as error:
            raise AdapterNotApplied(f"{adapter}: does not fit the base ({error})") from error
        # Those of the other adapters are missing from each file.
        own = re.compile(rf"\.lora_\w+\.{re.escape(name)}\b")
        outcome.missing_keys[:] = filter(own.search, outcome.missing_keys)
        _require_applied(adapter, outcome, tensors)
    assert peft is not None, "no adapter"
    peft.set_adapter(next(iter(adapters)))
    peft.requires_grad_(requires_grad=False).eval()
    return peft


def _read_adapter(adapter: Path) -> tuple[dict[str, torch.Tensor], LoraConfig]:
    weights = require_adapter(adapter)
    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        raise InputError(f"{weights}: not a safetensors file ({error})") from error
    config = _adapter_config(adapter)
    config.inference_mode = True
    return tensors, config


def _require_applied(
    adapter: Path,
    outcome: Any,  # noqa: ANN401 (torch's class for it is private)
    tensors: Mapping[str, torch.Tensor],
) -> None:
    kept = ("lora_", "modules_to_save")
    missing = [name for name in outcome.missing_keys if any(part in name for part in kept)]
    if missing or outcome.unexpected_keys:
        example = (missing or outcome.unexpected_keys)[0]
        raise AdapterNotApplied(
            f"{adapter}: {len(missing)} tensors missing and {len(outcome.unexpected_keys)} "
            f"unexpected, such as {example}; was it trained on another base?"
        )
    if not any(tensor.any() for name, tensor in tensors.items() if "lora_B" in name):
        raise AdapterNotApplied(f"{adapter}: every lora_B is zero, so it changes nothing")


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


def _digests(adapter: Path | None, adapters: Mapping[str, Path]) -> str:
    if adapter is not None:
        return adapter_digest(adapter)
    return ",".join(f"{name}={adapter_digest(folder)}" for name, folder in adapters.items())


def adapter_digest(adapter: Path) -> str:
    """Return the SHA-256 of an adapter's configuration, weights and labels."""
    digest = hashlib.sha256()
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS, ADDED_LABELS):
        if (adapter / name).is_file():
            digest.update((adapter / name).read_bytes())
    return digest.hexdigest()


def _use_portable_kernels(network: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking weights on CPUs with AVX512-BF16.

    The repacked path rounds to bfloat16, so that answers would depend on the kind of CPU; it
    wants a kernel from a hub, and fails on layers whose input is not a multiple of 64 wide.
    """
    for module in network.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _revision(source: str, config: PretrainedConfig) -> str:
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
def quiet_transformers() -> Iterator[None]:
    """Keep progress bars and reports of unused weights off the terminal."""
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
def hub_errors(model: str) -> Iterator[None]:
    """Say in one line why ``model`` cannot be loaded.

    Raises:
        InputError: what is done inside raised because of a file or a hub.
    """
    try:
        yield
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{model}: cannot be loaded ({reason}); give a model folder with safetensors, "
            f"a hub id that this machine can fetch, or {EMBEDDED_MODEL}"
        ) from error
