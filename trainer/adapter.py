"""Puts a new LoRA adapter on a frozen base and writes it as a PEFT folder."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model

from shared.errors import InputError
from shared.vqa.loading import LoadedModel, quiet_renames
from trainer.recipe import LoraRecipe

TOWERS = ("vision_model", "text_encoder", "text_decoder")


def add_adapter(model: LoadedModel, recipe: LoraRecipe) -> PeftModel:
    """Insert trainable LoRA layers into ``model.blip``, in place.

    Raises:
        InputError: no module's name ends with one of the targets.
    """
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(recipe.targets),
        bias="none",
        # The named task types call forward with arguments that BLIP does not have.
        task_type=None,
    )
    try:
        with quiet_renames():
            return get_peft_model(model.blip, config)
    except ValueError as error:
        raise InputError(
            f"lora.targets {list(recipe.targets)} match no layer of {model.name}; BLIP's are "
            "query, key, value, dense (text) and qkv, projection, fc1, fc2 (vision)"
        ) from error


def matched_layers(peft: PeftModel) -> dict[str, int]:
    """Return how many layers got an adapter, by tower."""
    found: Counter[str] = Counter(
        next((tower for tower in TOWERS if f".{tower}." in name), "other")
        for name, _ in peft.named_modules()
        if name.endswith(".lora_A")
    )
    return {tower: found[tower] for tower in (*TOWERS, "other") if found[tower] or tower != "other"}


def trainable_parameters(peft: PeftModel) -> int:
    """Return the number of weights that training changes."""
    return sum(p.numel() for p in peft.parameters() if p.requires_grad)


def save_adapter(peft: PeftModel, model: LoadedModel, folder: Path) -> None:
    """Write adapter and processor into ``folder``, replacing an older adapter whole."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    peft.save_pretrained(str(part), safe_serialization=True)
    model.tokenizer.save_pretrained(str(part))
    model.image_processor.save_pretrained(str(part))
    folder.mkdir(parents=True, exist_ok=True)
    for file in part.iterdir():
        file.replace(folder / file.name)
    part.rmdir()
