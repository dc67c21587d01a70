"""Loads a base, rounded or not, with an adapter or without, or says why it cannot.

Only safetensors are read: a pickle can run code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoTokenizer,
    BaseImageProcessor,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    PretrainedConfig,
    PreTrainedModel,
)

from shared.errors import InputError
from shared.program.process.freed_memory import keep_freed_memory
from shared.questions.folding import (
    AS_IT_COMES,
    FOLDING_FILE,
    QuestionFolding,
    read_folding,
)
from shared.vqa.adapting.adapter_files import adapter_digest
from shared.vqa.adapting.adapters import (
    apply_adapter,
    apply_adapters,
    warn_of_another_base,
    warn_of_another_format,
)
from shared.vqa.adapting.rounded_together import require_its_base
from shared.vqa.blip.forward import heed_question_mask
from shared.vqa.formats import format_arguments, require_format, settle_format
from shared.vqa.inputs.question_length import (
    limit_of_adapters,
    lower_question_limit,
)
from shared.vqa.loaded import BASE_ALONE, LoadedModel, best_device, compute_dtype
from shared.vqa.names.beside import beside_base
from shared.vqa.names.model_names import (
    hub_errors,
    quiet_transformers,
    require_words,
    resolve_model,
)
from shared.vqa.names.weights_revision import weights_revision
from shared.vqa.packed.folder import read_packed_network, unpack
from shared.vqa.packed.place import packed_folder, packed_record_of
from shared.vqa.packed.whole import without_record
from shared.vqa.quantization import Quantization, held_as, rounded_as

PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".ckpt"})
BLIP = "BlipForQuestionAnswering"
BLIP2 = "Blip2ForConditionalGeneration"
VILT = "ViltForQuestionAnswering"
ONLY_ADAPTER = "default"
"""PEFT's name for an adapter that was given none."""
_DEFAULT_ARCHITECTURES = {"blip": BLIP, "blip-2": BLIP2, "vilt": VILT}


def load_blip(
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
            f"{model}: is a {architecture(config) or config.model_type}; this is done with BLIP "
            f"for VQA ({BLIP}) alone"
        )
    loaded = load_network(
        model,
        config,
        BlipForQuestionAnswering,
        BlipImageProcessorPil,
        adapter=adapter,
        quantization=quantization,
        device=device,
    )
    lower_question_limit(loaded.tokenizer, limit_of_adapters([] if adapter is None else [adapter]))
    return loaded


def read_config(model: str) -> PretrainedConfig:
    """Return the configuration of the model that ``model`` names.

    Raises:
        InputError: no such folder, no such model on a hub that can be reached, or one that brings
            code of its own, which is never run.
    """
    source = resolve_model(model)
    with quiet_transformers(), hub_errors(model):
        return AutoConfig.from_pretrained(source, trust_remote_code=False)


def architecture(config: PretrainedConfig) -> str:
    """Return the name of the class that a checkpoint was saved from."""
    named = getattr(config, "architectures", None)
    return str(named[0]) if named else _DEFAULT_ARCHITECTURES.get(config.model_type, "")


def held_here(
    model: str, config: PretrainedConfig, asked: Quantization, device: torch.device
) -> Quantization:
    """Return how a model is held on ``device`` where ``asked`` is given; no weight is read.

    Raises:
        InputError: it cannot be held so, or this machine lacks what that takes.
    """
    held = held_as(model, asked)
    require_format(model, config, held, device)
    return held


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
    quantization = held_here(model, config, quantization, device)
    folders = [*(adapters or {}).values(), *([] if adapter is None else [adapter])]
    for folder in folders:
        require_its_base(folder, model, quantization)
    network = _frozen_network(model, config, network_class, quantization, device)
    if device.type == "cpu":
        # Not before: what loading lets go of is more than any layer asks for.
        keep_freed_memory()
    with quiet_transformers(), hub_errors(model):
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        image_processor = image_processor_class.from_pretrained(source, trust_remote_code=False)
    require_words(model, tokenizer)
    peft = apply_adapters(network, adapters) if adapters else None
    if adapter is not None:
        peft = apply_adapter(network, adapter)
    revision = _revision(source)
    for folder in folders:
        warn_of_another_base(folder, revision)
        warn_of_another_format(folder, rounded_as(model, quantization))
    return LoadedModel(
        network=network,
        peft=peft,
        tokenizer=tokenizer,
        image_processor=image_processor,
        device=device,
        name=model,
        revision=revision,
        quantization=quantization,
        adapter_sha256=_digests(adapter, adapters or {}),
        foldings=_foldings(model, adapter, adapters or {}),
    )


def _frozen_network(
    model: str,
    config: PretrainedConfig,
    network_class: type[PreTrainedModel],
    quantization: Quantization,
    device: torch.device,
) -> PreTrainedModel:
    """Load the weights alone, on ``device`` and in evaluation mode; none of them learns."""
    folder, record = packed_folder(model), packed_record_of(model)
    if folder is not None and record is not None:
        network = read_packed_network(folder, record, config, network_class, compute_dtype(device))
        if quantization is Quantization.NONE:
            unpack(network)
        return _made_ready(network.to(device), config)
    with quiet_transformers(), hub_errors(model):
        network, outcome = network_class.from_pretrained(
            resolve_model(model),
            config=config,
            use_safetensors=True,
            dtype=compute_dtype(device),
            output_loading_info=True,
            **format_arguments(quantization, device),
        )
    _require_all_weights(model, network_class, outcome)
    settle_format(network, quantization, device)
    return _made_ready(network, config)


def _made_ready(network: PreTrainedModel, config: PretrainedConfig) -> PreTrainedModel:
    if architecture(config) == BLIP:
        heed_question_mask(network)
    frozen: PreTrainedModel = network.requires_grad_(requires_grad=False).eval()
    return frozen


def base_folding(model: str) -> QuestionFolding:
    """Return how a base was trained to hear questions, by the record in its folder.

    Raises:
        InputError: no such model, or its folding is not known here.
    """
    record = beside_base(model, FOLDING_FILE)
    return AS_IT_COMES if record is None else read_folding(record.parent)


def _foldings(
    model: str, adapter: Path | None, adapters: Mapping[str, Path]
) -> dict[str, QuestionFolding]:
    """An adapter without a record was trained on questions as they came."""
    folders = {**adapters} if adapter is None else {ONLY_ADAPTER: adapter}
    if not folders:
        return {BASE_ALONE: base_folding(model)}
    return {name: read_folding(folder) for name, folder in folders.items()}


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
    model: str, network_class: type[PreTrainedModel], outcome: Mapping[str, Collection[str]]
) -> None:
    """A layer without weights would be left as it was drawn at random, and answer."""
    missing = sorted(outcome["missing_keys"])
    if missing and any(name.endswith(".codes") for name in outcome["unexpected_keys"]):
        raise without_record(model)
    if missing:
        raise InputError(
            f"{model}: lacks {len(missing)} tensors of a {network_class.__name__}, such as "
            f"{missing[0]}; it is a model for something else"
        )


def _digests(adapter: Path | None, adapters: Mapping[str, Path]) -> str:
    if adapter is not None:
        return adapter_digest(adapter)
    return ",".join(f"{name}={adapter_digest(folder)}" for name, folder in adapters.items())


def _revision(source: str) -> str:
    """Return a hub's commit, or the hash of a folder's weights.

    A hub's cache keeps each revision in a folder named by its commit; configurations of
    transformers 5 do not say it.
    """
    if Path(source).is_dir():
        return weights_revision(Path(source))
    config = beside_base(source, "config.json")
    return "" if config is None else config.parent.name
