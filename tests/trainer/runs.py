"""A small run of the training loop, without recipe or folder."""

from __future__ import annotations

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from tests.models import TEXT_TARGETS
from trainer.data.batches import Batches
from trainer.data.features import StoredFeatures
from trainer.fitting.adapter import add_adapter
from trainer.fitting.lessons import PairLessons
from trainer.recipe.recipe import LoraRecipe
from trainer.recipe.schedule import Schedule
from trainer.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from trainer.training.loop import Optimization, new_optimizer, train

DROPOUT = LoraRecipe(rank=4, alpha=8, dropout=0.2, targets=TEXT_TARGETS)


def optimization(steps: int, rate: float = 3e-3) -> Optimization:
    return Optimization(
        learning_rate=rate,
        schedule=Schedule.LINEAR,
        weight_decay=0.0,
        warmup_steps=3,
        total_steps=steps,
        max_grad_norm=1.0,
        seed=1,
    )


class Setup:
    """A model with a new adapter, its optimiser and its batches."""

    def __init__(self, learner, pictures, *, lora=DROPOUT, steps=12, rate=3e-3, batch=4, cut=1):
        folder, pairs = pictures
        self.learner, self.pairs = learner, pairs[:10]
        self.settings = optimization(steps, rate)
        torch.manual_seed(0)
        self.peft = add_adapter(self.learner, lora).peft
        names = [pair.filename for pair in self.pairs]
        self.features = StoredFeatures(self.learner, folder, names, folder.parent / "store")
        self.batches = Batches(self.pairs, batch, cut, seed=1)
        self.optimizer = new_optimizer(self.peft, self.settings)

    def steps(self, first: int = 0):
        lessons = PairLessons(self.learner, self.features, self.batches)
        return train(self.peft, self.optimizer, lessons, self.settings, first_step=first)

    def save(self, folder, step: int) -> None:
        """Save a checkpoint as it is after ``step`` steps."""
        save_checkpoint(folder, self.weights(), self.optimizer, RunState(step, "recipe"))

    def restore(self, folder) -> int:
        """Go on at a checkpoint; return its step."""
        state, weights = load_checkpoint(folder, self.optimizer, "recipe")
        set_peft_model_state_dict(self.peft, weights)
        return state.step

    def weights(self):
        return {k: v.clone() for k, v in get_peft_model_state_dict(self.peft).items()}


def base_weights(model) -> dict[str, torch.Tensor]:
    return {
        name.replace("base_layer.", ""): weight.detach().clone()
        for name, weight in model.network.state_dict().items()
        if "lora_" not in name
    }
