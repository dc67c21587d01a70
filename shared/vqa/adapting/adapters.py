"""PEFT adapters: applied to a base with proof that they took, or refused.

LoRA: Hu et al. 2021, arXiv:2106.09685. Only safetensors are read: a pickle can run code.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from peft import LoraConfig, PeftConfig, PeftModel, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedModel, ViltForQuestionAnswering

from shared.corpus import read_json
from shared.errors import AdapterNotApplied, InputError
from shared.program.reporting.event_log import EventLog
from shared.vqa.adapting.adapter_files import (
    ADAPTER_CONFIG,
    TRAINING_RECORD,
    require_adapter,
)
from shared.vqa.adapting.adapter_start import require_start, rewrites_base
from shared.vqa.adapting.added_labels import (
    grow_head,
    make_head_trainable,
    read_added_labels,
)
from shared.vqa.adapting.rounded_together import require_alone
from shared.vqa.formats import is_rounded
from shared.vqa.names.weights_revision import OF_NO_WEIGHTS
from shared.vqa.packed.together import round_together
from shared.vqa.quantization import Quantization

log = EventLog(__name__)

_ARCHITECTURE: Final = re.compile(r"transformers\.models\.(?P<name>\w+)\.")
_MADE_UP_FOR: Final = frozenset({Quantization.HQQ3, Quantization.HQQ2, Quantization.PACKED})


def apply_adapter(network: PreTrainedModel, adapter: Path) -> PeftModel:
    """Put a PEFT adapter's layers into ``network``, in place, and check that they took.

    Raises:
        InputError: the folder is not an adapter with safetensors.
        AdapterNotApplied: it is of another architecture, tensors are missing, unexpected or of
            another shape, or every ``lora_B`` is zero.
    """
    together = require_alone(adapter, company=False)
    tensors, config = _read_adapter(adapter, network)
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
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise AdapterNotApplied(f"{adapter}: {_misfit(error)}") from error
    _require_applied(adapter, outcome, tensors)
    if together:
        round_together(peft)
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
        together = require_alone(adapter, company=len(adapters) > 1)
        tensors, config = _read_adapter(adapter, network)
        if len(adapters) > 1 and rewrites_base(config):
            raise InputError(
                f"{adapter}: its start ({config.init_lora_weights}) changes the base, which others "
                "stand on too; such an adapter goes alone"
            )
        try:
            with quiet_renames():
                if peft is None:
                    peft = PeftModel(network, config, adapter_name=name)
                else:
                    peft.add_adapter(name, config)
            outcome = set_peft_model_state_dict(peft, tensors, adapter_name=name)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise AdapterNotApplied(f"{adapter}: {_misfit(error)}") from error
        # Those of the other adapters are missing from each file.
        own = re.compile(rf"\.lora_\w+\.{re.escape(name)}\b")
        outcome.missing_keys[:] = filter(own.search, outcome.missing_keys)
        _require_applied(adapter, outcome, tensors)
        if together:
            round_together(peft)
    assert peft is not None, "no adapter"
    peft.set_adapter(next(iter(adapters)))
    peft.requires_grad_(requires_grad=False).eval()
    return peft


def _read_adapter(
    adapter: Path, network: PreTrainedModel
) -> tuple[dict[str, torch.Tensor], LoraConfig]:
    weights = require_adapter(adapter)
    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        raise InputError(f"{weights}: not a safetensors file ({error})") from error
    config = require_start(adapter, adapter_config(adapter), rounded=is_rounded(network))
    _require_architecture(adapter, config, network)
    config.inference_mode = True
    return tensors, config


def _require_architecture(adapter: Path, config: LoraConfig, network: PreTrainedModel) -> None:
    """Refuse an adapter of another architecture, where peft recorded which it was.

    Names and shapes would not tell: language models of one kind and size stand in several.
    """
    trained_on = _ARCHITECTURE.match((config.auto_mapping or {}).get("parent_library") or "")
    base = _ARCHITECTURE.match(type(network).__module__)
    if trained_on and base and trained_on["name"] != base["name"]:
        raise AdapterNotApplied(
            f"{adapter}: trained on a base of the architecture {trained_on['name']}, and this one "
            f"is of {base['name']}"
        )


def _misfit(error: Exception) -> str:
    """Say in one line what torch says in one for each tensor of another size."""
    first, *more = map(str.strip, str(error).strip().splitlines() or [""])
    if not more:
        return f"does not fit the base ({first})"
    further = f", and {len(more) - 1} more" if len(more) > 1 else ""
    return f"does not fit the base ({more[0]}{further}); was it trained on a base of another size?"


def _require_applied(
    adapter: Path,
    outcome: Any,  # noqa: ANN401 (torch's class for it is private)
    tensors: Mapping[str, torch.Tensor],
) -> None:
    saved_parts = ("lora_", "modules_to_save")
    missing = [name for name in outcome.missing_keys if any(part in name for part in saved_parts)]
    if missing or outcome.unexpected_keys:
        example = (missing or outcome.unexpected_keys)[0]
        raise AdapterNotApplied(
            f"{adapter}: {len(missing)} tensors missing and {len(outcome.unexpected_keys)} "
            f"unexpected, such as {example}; was it trained on another base?"
        )
    if not any(tensor.any() for name, tensor in tensors.items() if "lora_B" in name):
        raise AdapterNotApplied(f"{adapter}: every lora_B is zero, so it changes nothing")


def require_applicable(adapter: Path, *, rounded: bool) -> None:
    """Check, before a base is loaded, that an adapter can be given the base that it was trained on.

    Raises:
        InputError: the folder is no adapter, or its start changed the base for good.
    """
    require_adapter(adapter)
    require_start(adapter, adapter_config(adapter), rounded=rounded)


def adapter_config(adapter: Path) -> LoraConfig:
    """Return an adapter's configuration.

    Raises:
        InputError: it is not one that peft knows, or not of a LoRA adapter.
    """
    path = adapter / ADAPTER_CONFIG
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            # How a start would be computed is of no matter where A and B are read.
            warnings.filterwarnings("ignore", ".*_config")
            config = PeftConfig.from_pretrained(str(adapter))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a configuration that peft knows ({error!r})") from error
    for warning in told:
        log.warning("adapter_config", file=str(path), reason=str(warning.message))
    if not isinstance(config, LoraConfig):
        raise InputError(f"{path}: peft_type {config.peft_type} is not LORA, the only one known")
    return config


def warn_of_another_base(adapter: Path, revision: str) -> None:
    """Say so where an adapter was trained on another base than the one with this revision.

    Its layers fit any base of the same shape, so that nothing else would tell.
    """
    record = adapter / TRAINING_RECORD
    trained_on = read_json(record).get("base_revision") if record.is_file() else None
    if trained_on not in {None, "", OF_NO_WEIGHTS, revision}:
        log.warning(
            "adapter_of_another_base", adapter=str(adapter), trained_on=trained_on, base=revision
        )


def warn_of_another_format(adapter: Path, held: Quantization) -> None:
    """Say so where an adapter makes up for what another format than ``held`` rounds off.

    Such are those that start at the rounding error, and those trained on 3 bits and fewer, or on a
    packed base; any other may be trained in one format and answer in another.
    """
    record = adapter / TRAINING_RECORD
    told = read_json(record) if record.is_file() else {}
    trained = str(told.get("quantization", ""))
    makes_up = told.get("lora_start") == "loftq" or trained in _MADE_UP_FOR
    if makes_up and trained != held.value:
        log.warning(
            "adapter_of_another_format",
            adapter=str(adapter),
            trained_in=trained,
            base_held_in=held.value,
        )


@contextmanager
def quiet_renames() -> Iterator[None]:
    """Hide that transformers renames gradient checkpointing: peft knows the old name alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*gradient_checkpointing.*", FutureWarning)
        yield
