"""Which learner trains which architecture, and loading one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.errors import InputError
from shared.vqa.answerer import Answerer
from shared.vqa.families import load_answerer
from shared.vqa.loading import BLIP, Quantization, architecture, read_config
from trainer.learners.blip import BlipLearner
from trainer.learners.learner import Learner, TokenLimits

_LEARNERS: Final[Mapping[str, type[Learner[Any]]]] = {BLIP: BlipLearner}


def load_learner(
    model: str, *, quantization: Quantization, limits: TokenLimits | None = None
) -> Learner[Any]:
    """Load a base to train, frozen, as ``load_answerer`` does.

    Raises:
        InputError: ``model`` cannot be found, or no learner trains its architecture.
    """
    require_trainable(model)
    return learner_of(load_answerer(model, quantization=quantization), limits)


def require_trainable(model: str) -> None:
    """Raise before anything is loaded where no learner trains ``model``.

    Raises:
        InputError: ``model`` cannot be found, or no learner trains its architecture.
    """
    config = read_config(model)
    if architecture(config) not in _LEARNERS:
        known = ", ".join(learner.family for learner in _LEARNERS.values())
        raise InputError(
            f"{model}: is a {architecture(config) or config.model_type}, which is not trained "
            f"here; give one of {known} for VQA"
        )


def learner_of(answerer: Answerer[Any, Any], limits: TokenLimits | None = None) -> Learner[Any]:
    """Return the learner that trains what an answerer asks."""
    learner = _LEARNERS[architecture(answerer.model.network.config)]
    return learner(answerer, limits or TokenLimits())
