"""Puts a new LoRA adapter on a frozen base and writes it as a PEFT folder."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from peft.utils import ModulesToSaveWrapper
from safetensors.torch import save_file

from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.files.atomic import refilled_folder
from shared.questions.folding import write_folding
from shared.vqa.adapting.adapter_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, TELL_ITS_USE
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.adapting.added_labels import write_added_labels
from shared.vqa.adapting.rounded_together import mark_rounded_together
from shared.vqa.formats import exact_weight
from shared.vqa.inputs.instruction import write_instruction
from shared.vqa.inputs.tokenizer_state import forget_last_texts
from shared.vqa.loaded import best_device
from shared.vqa.loading import held_here, read_config
from shared.vqa.names.model_names import resolve_model
from shared.vqa.names.public_name import public_name
from shared.vqa.packed.place import packed_record_of
from shared.vqa.packed.together import packed_with_adapter, round_together
from shared.vqa.quantization import TRAINED_ON, Quantization
from trainer.fitting.layers import require_layers
from trainer.learners.families import empty_network, learner_class, load_learner
from trainer.learners.learner import Learner
from trainer.recipe.recipe import LoraRecipe, LoraStart
from trainer.recipe.targets import ALL_LINEAR, AUTO


@dataclass(frozen=True)
class NewAdapter:
    """A trainable adapter on its base.

    ``first`` holds a PiSSA adapter's tensors as they started. Such an adapter takes its start out
    of the base, so that what was learned is the difference of the two. ``rounded`` says that it is
    rounded together with its packed base.
    """

    peft: PeftModel
    learner: Learner[Any]
    targets: Sequence[str] | str
    first: Mapping[str, torch.Tensor] | None = None
    rounded: bool = False

    def base_alone(self) -> AbstractContextManager[None]:
        """Return a context in which the model answers as the base does."""
        # A PiSSA adapter that has not been trained is the base; without it a part is missing.
        if self.first is not None:
            return _last_layer_of_the_base(self.peft)
        switched_off: AbstractContextManager[None] = self.peft.disable_adapter()
        return switched_off

    def save(self, folder: Path) -> None:
        """Write adapter and processor into ``folder``, replacing an older adapter whole."""
        with refilled_folder(folder, ADAPTER_WEIGHTS, stale=TELL_ITS_USE) as part:
            if self.first is None:
                self.peft.save_pretrained(str(part), safe_serialization=True)
            else:
                self._save_difference(self.first, part)
            name_base(self.learner.model.name, part)
            forget_last_texts(self.learner.model.tokenizer)
            self.learner.model.tokenizer.save_pretrained(str(part))
            self.learner.model.image_processor.save_pretrained(str(part))
            write_added_labels(self.learner.added_labels, part)
            write_folding(self.learner.model.folding, part)
            write_instruction(self.learner.model.instruction, part)
            if self.rounded:
                mark_rounded_together(part)

    def _save_difference(self, first: Mapping[str, torch.Tensor], part: Path) -> None:
        """Write ``B A - B0 A0`` as one adapter of twice the rank, ``[B, -B0] [A; A0]``.

        peft's own conversion loads the start as a second adapter, which PiSSA's base forbids.
        """
        learned = {}
        for name, now in get_peft_model_state_dict(self.peft).items():
            if "lora_A" in name:
                learned[name] = torch.cat([now, first[name]], dim=0)
            elif "lora_B" in name:
                learned[name] = torch.cat([now, -first[name]], dim=1)
            else:
                learned[name] = now
        config = self.peft.peft_config["default"]
        # The scale stays what it was: alpha / rank, or alpha / sqrt(rank) with rsLoRA.
        growth = math.sqrt(2) if config.use_rslora else 2
        plain = replace(
            config,
            r=2 * config.r,
            lora_alpha=growth * config.lora_alpha,
            init_lora_weights=True,
            inference_mode=True,
        )
        plain.save_pretrained(str(part))
        save_file(
            {name: tensor.contiguous() for name, tensor in learned.items()}, part / ADAPTER_WEIGHTS
        )


def name_base(base: str, adapter: Path) -> None:
    """Let an adapter's configuration name its base, where peft wrote the place of that.

    Its targets are put in order: peft keeps a set, whose order is another in each process.
    """
    path = adapter / ADAPTER_CONFIG
    # Not before peft saves: it would ask the hub for a base of this name.
    config = read_json(path) | {"base_model_name_or_path": public_name(base)}
    if isinstance(targets := config["target_modules"], list):
        config["target_modules"] = sorted(targets)
    write_json(config, path)


@contextmanager
def _last_layer_of_the_base(peft: PeftModel) -> Iterator[None]:
    """Leave the LoRA layers on, and take the base's own layer for one that is trained whole."""
    wrappers = [part for part in peft.modules() if isinstance(part, ModulesToSaveWrapper)]
    for wrapper in wrappers:
        wrapper.enable_adapters(enabled=False)
    try:
        yield
    finally:
        for wrapper in wrappers:
            wrapper.enable_adapters(enabled=True)


def require_targets(model: str, recipe: LoraRecipe, quantization: Quantization) -> None:
    """Raise, without loading a weight, where ``add_adapter`` would.

    Raises:
        InputError: no learner trains ``model``, the targets match no layer or something else, or
            the kind of adapter does not go with this base; or this machine cannot hold that.
    """
    learner = learner_class(model)
    _refuse_what_does_not_go_together(recipe, quantization)
    _require_packed_base(model, recipe, quantization)
    held_here(model, read_config(model), quantization, best_device())
    if recipe.targets != AUTO:
        network = empty_network(model)
        require_layers(network, recipe.targets, model, learner.family, learner.layer_names)


def add_adapter(learner: Learner[Any], recipe: LoraRecipe) -> NewAdapter:
    """Insert trainable LoRA layers into the learner's network, in place.

    Raises:
        InputError: the targets match no layer or something else, or the kind of adapter does not
            go with this base.
    """
    model = learner.model
    _refuse_what_does_not_go_together(recipe, model.quantization)
    named = learner.default_targets if recipe.targets == AUTO else recipe.targets
    targets = named if isinstance(named, str) else list(named)
    require_layers(model.network, targets, model.name, learner.family, learner.layer_names)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=targets,
        exclude_modules=list(learner.says_the_answer) if targets == ALL_LINEAR else None,
        modules_to_save=list(learner.trained_whole) or None,
        use_rslora=recipe.rslora,
        use_dora=recipe.dora,
        init_lora_weights=_peft_start(recipe.start),
        bias="none",
        # The named task types call forward with arguments that these models do not have.
        task_type=None,
    )
    with quiet_renames():
        peft = get_peft_model(model.network, config)
    learner.adapter_added()
    if recipe.start is LoraStart.PISSA:
        first = {name: t.clone() for name, t in get_peft_model_state_dict(peft).items()}
        return NewAdapter(peft, learner, targets, first)
    if recipe.start is LoraStart.LOFTQ:
        _start_at_rounding_error(peft, learner)
    if recipe.rounded:
        _require_own_weights(peft, model.name)
        round_together(peft)
    return NewAdapter(peft, learner, targets, rounded=recipe.rounded)


def lora_layers(peft: PeftModel) -> dict[str, LoraLayer]:
    """Return the layers that got an adapter, by the names that they have in the base."""
    return {
        name: module
        for name, module in peft.get_base_model().named_modules()
        if isinstance(module, LoraLayer)
    }


def matched_layers(adapter: NewAdapter) -> dict[str, int]:
    """Return how many layers got an adapter, by tower."""
    towers = adapter.learner.towers
    layers: Counter[str] = Counter(
        next((tower for tower in towers if name.startswith(f"{tower}.")), "other")
        for name in lora_layers(adapter.peft)
    )
    return {
        tower: layers[tower] for tower in (*towers, "other") if layers[tower] or tower != "other"
    }


def unmatched_targets(adapter: NewAdapter) -> list[str]:
    """Return the targets that are the end of no layer's name, in order."""
    if isinstance(adapter.targets, str):
        return []
    names = [f".{name}" for name in lora_layers(adapter.peft)]
    return [
        target
        for target in adapter.targets
        if not any(name.endswith(f".{target}") for name in names)
    ]


def trainable_parameters(peft: PeftModel) -> int:
    """Return the number of weights that training changes."""
    return sum(p.numel() for p in peft.parameters() if p.requires_grad)


def base_weight(layer: LoraLayer) -> torch.Tensor:
    """Return the weight ``(out, in)`` that a LoRA layer adds to, in float32, of any format."""
    return exact_weight(layer.get_base_layer())


def _refuse_what_does_not_go_together(recipe: LoraRecipe, quantization: Quantization) -> None:
    if quantization not in TRAINED_ON:
        raise InputError(
            f"quantize {quantization.value}: no gradient was seen to pass through it, so it is for "
            f"answering alone; train with {', '.join(sorted(TRAINED_ON))}"
        )
    if recipe.start is LoraStart.PISSA and quantization is not Quantization.NONE:
        raise InputError(
            "lora.start pissa takes components out of the base's weights, which cannot be done in "
            'rounded ones; set quantize = "none", or lora.start = "loftq"'
        )
    if recipe.start is LoraStart.LOFTQ and quantization is Quantization.NONE:
        raise InputError(
            "lora.start loftq makes up for what is rounded off, and this base is not rounded; "
            'set quantize = "nf4", or lora.start = "zero" or "pissa"'
        )
    if recipe.dora and recipe.start in {LoraStart.PISSA, LoraStart.LOFTQ}:
        raise InputError(
            f"lora.dora takes the base's magnitudes, which lora.start {recipe.start} changes; "
            "leave out one of them"
        )
    if recipe.dora and recipe.rounded:
        raise InputError("lora.dora scales the sum that lora.rounded rounds; leave out one of them")


def _require_packed_base(model: str, recipe: LoraRecipe, quantization: Quantization) -> None:
    record = packed_record_of(model)
    if recipe.rounded and (record is None or quantization is Quantization.NONE):
        raise InputError(
            f"lora.rounded: {model} is not held packed; give a model that `trainer quantize` made, "
            "without `quantize`"
        )
    if recipe.start is LoraStart.LOFTQ:
        _exact_model(model)


def _require_own_weights(peft: PeftModel, model: str) -> None:
    """Check that some layer is packed, and that none with an adapter shares its weight.

    Raises:
        InputError: there is nothing to round, or another layer would be changed with it.
    """
    packed = [name for name, _, _ in packed_with_adapter(peft)]
    if not packed:
        raise InputError(
            f"lora.rounded: none of the layers that lora.targets names is packed in {model}; "
            "name others, or leave lora.rounded out"
        )
    record = packed_record_of(model)
    parts = () if record is None else record.parts
    shared = {name for part in parts for name in part.names if len(part.names) > 1}
    for name in packed:
        if name in shared:
            raise InputError(
                f"lora.rounded: {name} shares its weight with another layer, which would be "
                "rounded anew with it; leave it out of lora.targets"
            )


def _peft_start(start: LoraStart) -> bool | str:
    match start:
        case LoraStart.ZERO | LoraStart.LOFTQ:
            return True
        case LoraStart.GAUSSIAN | LoraStart.PISSA:
            return start.value


def _exact_model(model: str) -> str:
    """Return the model that has the weights of which ``model`` is rounded.

    Raises:
        InputError: none has, or it is not here.
    """
    record = packed_record_of(model)
    if record is None:
        return model
    if not record.base:
        raise InputError(
            f"lora.start loftq: {model} has an adapter merged in, so no model has its exact "
            'weights; take lora.start = "zero"'
        )
    try:
        resolve_model(record.base)
    except InputError as error:
        raise InputError(
            f"lora.start loftq: {model} was made of {record.base}, which is not found here; put it "
            'there, or take lora.start = "zero"'
        ) from error
    return record.base


@torch.no_grad()
def _start_at_rounding_error(peft: PeftModel, learner: Learner[Any]) -> None:
    """Set ``B A`` to the best approximation of ``W - Q(W)``, in place.

    LoftQ (Li et al. 2023, arXiv:2310.08659), algorithm 1 with one step: the base stays as it is.
    peft's own ``replace_lora_weights_loftq`` wants CUDA.
    """
    whole = _exact_model(learner.model.name)
    exact = load_learner(whole, quantization=Quantization.NONE).model.network
    for name, layer in lora_layers(peft).items():
        rounded_off = exact.get_submodule(name).weight.float() - base_weight(layer)
        left, scale, right = torch.linalg.svd(rounded_off, full_matrices=False)
        rank, factor = layer.r["default"], layer.scaling["default"]
        root = (scale[:rank] / factor).sqrt()
        layer.lora_B["default"].weight[:, : len(root)] = left[:, :rank] * root
        layer.lora_A["default"].weight[: len(root)] = root[:, None] * right[:rank]
