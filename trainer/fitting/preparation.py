"""What a run has before its first step: the base with its adapter, its pairs and its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from shared.errors import InputError
from shared.program.reporting.event_log import EventLog
from shared.records import QAPair
from shared.vqa.inputs.instruction import Instruction
from trainer.data.dataset import SplitPairs
from trainer.data.features import RunFeatures, image_features
from trainer.fitting.adapter import (
    NewAdapter,
    add_adapter,
    matched_layers,
    trainable_parameters,
    unmatched_targets,
)
from trainer.learners.families import load_learner
from trainer.learners.learner import Learner, TokenLimits
from trainer.recipe.recipe import AnswerChoice, FitRecipe

log = EventLog(__name__)


@dataclass(frozen=True)
class Preparation:
    """A new adapter on its base, the pairs that it learns from, and the images' features."""

    adapter: NewAdapter
    training: Sequence[QAPair]
    features: RunFeatures

    @property
    def learner(self) -> Learner[Any]:
        """What is trained."""
        return self.adapter.learner


def prepare(recipe: FitRecipe, pairs: SplitPairs) -> Preparation:
    """Load the base, add the adapter and encode the images.

    Raises:
        InputError: the recipe's model, its adapter or its answers do not go together.
    """
    limits = TokenLimits(recipe.max_question_tokens, recipe.max_answer_tokens)
    learner = load_learner(
        recipe.model,
        quantization=recipe.quantize,
        limits=limits,
        instruction=Instruction(recipe.prompt),
    )
    # Before anything slow: a target that matches nothing is an error in the recipe.
    training = _learnable(learner, recipe, pairs)
    adapter = _with_adapter(learner, recipe)
    if recipe.regions.weight:
        _supervise_regions(adapter.learner, recipe, training)
    features = image_features(
        learner,
        recipe.images,
        training=[pair.filename for pair in training],
        held_out=[pair.filename for pair in pairs.validation],
        augmented=recipe.augment,
        store=recipe.features_folder,
        store_gib=recipe.feature_store_gib,
    )
    return Preparation(adapter, training, features)


def _learnable(learner: Learner[Any], recipe: FitRecipe, pairs: SplitPairs) -> tuple[QAPair, ...]:
    """Return the training pairs whose answers the network can say, and tell of the others."""
    if recipe.answers is AnswerChoice.EXTEND:
        learner.add_labels([pair.answer for pair in pairs.train])
        log.info("answers_added", labels=len(learner.added_labels))
    training = tuple(pair for pair in pairs.train if learner.can_say(pair.answer))
    if not training:
        raise InputError(
            f"{recipe.model}: none of the {len(pairs.train)} training answers is one of its "
            'labels; set answers = "extend" to add them'
        )
    never_right = sum(not learner.can_say(pair.answer) for pair in pairs.validation)
    if len(training) < len(pairs.train) or never_right:
        log.warning(
            "answers_without_label",
            training_pairs_left_out=len(pairs.train) - len(training),
            of=len(pairs.train),
            held_out_pairs_never_right=never_right,
        )
    return training


def _supervise_regions(
    learner: Learner[Any], recipe: FitRecipe, training: Sequence[QAPair]
) -> None:
    weight = recipe.regions.weight
    if recipe.augment:
        raise InputError(
            f"regions.weight = {weight:g}: boxes do not move with an augmented picture; set "
            "augment = false or regions.weight = 0"
        )
    boxed = sum(bool(pair.boxes) for pair in training)
    if not boxed:
        raise InputError(
            f"regions.weight = {weight:g}: no training pair of {recipe.data} has a box; give them "
            "in a column `boxes`, or set it to 0"
        )
    learner.supervise_regions(recipe.regions, training)
    log.info("supervising_regions", pairs_with_boxes=boxed, pairs=len(training))


def _with_adapter(learner: Learner[Any], recipe: FitRecipe) -> NewAdapter:
    # A new adapter's A is drawn at random; it is part of what the seed decides.
    torch.manual_seed(recipe.seed)
    adapter = add_adapter(learner, recipe.lora)
    if _checkpoints_activations(recipe, learner):
        learner.checkpoint_activations()
    log.info(
        "adapter_added",
        layers=matched_layers(adapter),
        targets_without_layer=unmatched_targets(adapter),
        trainable_parameters=trainable_parameters(adapter.peft),
    )
    return adapter


def _checkpoints_activations(recipe: FitRecipe, learner: Learner[Any]) -> bool:
    if recipe.gradient_checkpointing == "auto":
        return learner.trains_image_encoder
    return recipe.gradient_checkpointing
