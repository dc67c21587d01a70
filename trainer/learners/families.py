"""Which learner trains which architecture, and loading one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
import transformers
from transformers import PreTrainedModel

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
    learner_class(model)
    return learner_of(load_answerer(model, quantization=quantization), limits)


def learner_class(model: str) -> type[Learner[Any]]:
    """Return what trains ``model``, before anything is loaded.

    Raises:
        InputError: ``model`` cannot be found, or no learner trains its architecture.
    """
    config = read_config(model)
    learner = _LEARNERS.get(architecture(config))
    if learner is None:
        known = ", ".join(learner.family for learner in _LEARNERS.values())
        raise InputError(
            f"{model}: is a {architecture(config) or config.model_type}, which is not trained "
            f"here; give one of {known} for VQA"
        )
    return learner


def empty_network(model: str) -> PreTrainedModel:
    """Return a network of the shape of ``model``, without weights and so without memory.

    Raises:
        InputError: ``model`` cannot be found.
    """
    config = read_config(model)
    with torch.device("meta"):
        return getattr(transformers, architecture(config))(config)


def learner_of(answerer: Answerer[Any, Any], limits: TokenLimits | None = None) -> Learner[Any]:
    """Return the learner that trains what an answerer asks."""
    learner = _LEARNERS[architecture(answerer.model.network.config)]
    return learner(answerer, limits or TokenLimits())
