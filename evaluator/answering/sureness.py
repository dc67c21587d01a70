"""Sure enough, or better asked of a person: what `evaluator calibrate` found, and who uses it.

A file holds a temperature (Guo et al. 2017, arXiv:1706.04599), here of a logit, so that a
confidence becomes the chance that the answer is right; and the least such chance that counts as
sure. Both belong to the model that they were fitted on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from evaluator.answering.messages import ModelFacts
from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.vqa.inputs.instruction import Instruction

FORMAT: Final = 1
_CERTAIN: Final = 1e-6
"""A confidence this near to 0 or 1 has no larger logit."""


@dataclass(frozen=True)
class Sureness:
    """How a confidence becomes a chance, and from which chance on an answer is sure.

    ``model`` says whose it is, as far as the runs know; ``told`` what was found on the data that it
    was fitted and checked on.
    """

    temperature: float
    threshold: float
    model: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)

    def chance(self, confidence: float | None) -> float | None:
        """Return how likely an answer is right."""
        return None if confidence is None else chance_at(confidence, self.temperature)

    def is_sure(self, confidence: float | None) -> bool:
        """Tell whether an answer needs no person; one without a confidence does."""
        chance = self.chance(confidence)
        return chance is not None and chance >= self.threshold

    def require_model(self, source: Path, facts: ModelFacts, instruction: Instruction) -> None:
        """Check that it belongs to the model that answers.

        Raises:
            InputError: it was fitted on another model, adapter, quantisation or prompt.
        """
        now = {
            "model": facts.model,
            "revision": facts.revision,
            "quantization": facts.quantization,
            "adapter_sha256": facts.adapter_sha256,
            "prompt": instruction.template,
        }
        differing = [name for name, value in self.model.items() if now.get(name, "") != value]
        if differing:
            ways = ", ".join(
                f"{name} {self.model[name] or 'none'}, now {now.get(name) or 'none'}"
                for name in differing
            )
            raise InputError(
                f"--sure {source}: belongs to another model ({ways}); make one for this model "
                "with `evaluator calibrate`"
            )


def sure_cells(sureness: Sureness, confidence: float | None) -> dict[str, float | bool | None]:
    """Return what is told of an answer: how likely it is right, and whether that is enough."""
    chance = sureness.chance(confidence)
    return {
        "chance": None if chance is None else round(chance, 4),
        "sure": sureness.is_sure(confidence),
    }


def chance_at(confidence: float, temperature: float) -> float:
    """Return the chance that belongs to a confidence at a temperature."""
    near = min(max(confidence, _CERTAIN), 1 - _CERTAIN)
    return 1 / (1 + math.exp(-math.log(near / (1 - near)) / temperature))


def model_of(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return which model answered, in what a sureness is bound to; nothing where nobody knows.

    A model behind an address has no revision that is known here, and goes by its name there.
    """
    names = ["revision", "quantization", "adapter_sha256", "prompt"]
    if provenance.get("service"):
        names = ["model", *names]
    elif not provenance.get("revision"):
        return {}
    return {name: str(provenance.get(name) or "") for name in names}


def write_sureness(sureness: Sureness, path: Path) -> None:
    """Write it as JSON, whole or not at all."""
    write_json(
        {
            "format": FORMAT,
            "temperature": sureness.temperature,
            "threshold": sureness.threshold,
            "model": dict(sureness.model),
            **sureness.told,
        },
        path,
    )


def read_sureness(path: Path) -> Sureness:
    """Read what ``write_sureness`` wrote.

    Raises:
        InputError: the file is missing, something else, or damaged.
    """
    value = read_json(path)
    try:
        found = Sureness(
            float(value["temperature"]), float(value["threshold"]), dict(value["model"])
        )
    except (KeyError, TypeError, ValueError):
        found = None
    is_usable = (
        found is not None
        and math.isfinite(found.temperature)
        and found.temperature > 0
        and 0 <= found.threshold <= 1
    )
    if value.get("format") != FORMAT or found is None or not is_usable:
        raise InputError(f"{path}: no file of `evaluator calibrate`; make one with it")
    return found
