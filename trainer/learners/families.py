"""Which learner trains which architecture, and loading one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import torch
import transformers
from transformers import PreTrainedModel

from shared.errors import InputError
from shared.vqa.answerer import Answerer
from shared.vqa.chat.abilities import Keeping, keeping_of
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.families import (
    is_chat_model,
    is_known_family,
    load_answerer,
    training_folding,
)
from shared.vqa.inputs.instruction import NO_INSTRUCTION, Instruction
from shared.vqa.loaded import BASE_ALONE
from shared.vqa.loading import BLIP, BLIP2, VILT, architecture, read_config
from shared.vqa.quantization import Quantization
from trainer.learners.blip import BlipLearner
from trainer.learners.blip2 import Blip2Learner
from trainer.learners.chat.learner import ChatLearner
from trainer.learners.learner import Learner, TokenLimits
from trainer.learners.vilt import ViltLearner

_LEARNERS: Final[Mapping[str, type[Learner[Any]]]] = {
    BLIP: BlipLearner,
    BLIP2: Blip2Learner,
    VILT: ViltLearner,
}


def load_learner(
    model: str,
    *,
    quantization: Quantization,
    limits: TokenLimits | None = None,
    instruction: Instruction = NO_INSTRUCTION,
) -> Learner[Any]:
    """Load a base to train, frozen, as ``load_answerer`` does.

    Raises:
        InputError: ``model`` cannot be found, no learner trains its architecture, or it cannot
            follow the instruction.
    """
    learner_class(model)
    answerer = load_answerer(model, quantization=quantization, instruction=instruction)
    foldings = {BASE_ALONE: training_folding(model)}
    answerer.model = replace(answerer.model, foldings=foldings)
    return learner_of(answerer, limits)


def learner_class(model: str) -> type[Learner[Any]]:
    """Return what trains ``model``, before anything is loaded.

    Raises:
        InputError: ``model`` cannot be found, or no learner trains its architecture.
    """
    config = read_config(model)
    named = architecture(config)
    if is_chat_model(config):
        if (
            not config.is_encoder_decoder
            and keeping_of(empty_network(model)) is not Keeping.NOTHING
        ):
            return ChatLearner
        raise InputError(
            f"{model}: is a {named or config.model_type}, whose pictures cannot be read apart from "
            "its questions, so that it is not trained here; give another chat model"
        )
    learner = _LEARNERS.get(named)
    if learner is None or not is_known_family(config):
        families = ", ".join(learner.family for learner in _LEARNERS.values())
        raise InputError(
            f"{model}: is a {named or config.model_type}, which is not trained "
            f"here; give one of {families} for VQA, or a chat model"
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
    chats = isinstance(answerer, ChatAnswerer)
    learner = ChatLearner if chats else _LEARNERS[architecture(answerer.model.network.config)]
    return learner(answerer, limits or TokenLimits())
