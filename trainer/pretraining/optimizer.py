"""The optimiser of a model from scratch: AdamW, and Muon for the matrices of its layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from shared.errors import InputError
from trainer.pretraining.recipe import PretrainRecipe
from trainer.training.loop import RATE_TIMES

_MATRIX: Final = 2
_BETAS: Final = (0.9, 0.98)


def require_optimizer(recipe: PretrainRecipe) -> None:
    """Check that torch has what a recipe wants.

    Raises:
        InputError: it has no Muon.
    """
    if recipe.muon_times and not hasattr(torch.optim, "Muon"):
        raise InputError(
            f"muon_times: torch {torch.__version__} has no Muon; install 2.9 or later, or leave "
            "muon_times out"
        )


def optimizer_of(network: nn.Module, recipe: PretrainRecipe) -> torch.optim.Optimizer:
    """Return the optimiser that a recipe wants; biases, norms and the like do not decay."""
    muon = [weight for name, weight in network.named_parameters() if _is_of_a_layer(name, weight)]
    if not recipe.muon_times:
        muon = []
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    others = [weight for weight in learned if all(weight is not own for own in muon)]
    groups = [
        {"params": [each for each in others if each.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [each for each in others if each.ndim <= 1], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=_BETAS)
    return _Together(muon, adamw, recipe) if muon else adamw


def _is_of_a_layer(name: str, weight: torch.Tensor) -> bool:
    """Return whether a weight multiplies the hidden states of a layer of the model."""
    parts = name.split(".")
    return weight.ndim == _MATRIX and bool({"layer", "layers"} & {*parts})


class _Together(torch.optim.Optimizer):
    """Muon over some matrices (Jordan et al. 2024) and AdamW over the rest, as one."""

    def __init__(
        self, matrices: list[nn.Parameter], adamw: torch.optim.AdamW, recipe: PretrainRecipe
    ) -> None:
        self._adamw = adamw
        # The rate of both is then of one kind: Liu et al. 2025, arXiv:2502.16982, section 2.2.
        self._muon = torch.optim.Muon(
            matrices,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        super().__init__([*matrices], {})
        self._muon.param_groups[0][RATE_TIMES] = recipe.muon_times
        self.param_groups = [*self._muon.param_groups, *adamw.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step with both."""
        assert closure is None, "neither is asked for one"
        self._muon.step()
        self._adamw.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""
        self._muon.zero_grad(set_to_none)
        self._adamw.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both."""
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of both."""
        self._muon.load_state_dict(state_dict["muon"])
        self._adamw.load_state_dict(state_dict["adamw"])
        self.param_groups = [*self._muon.param_groups, *self._adamw.param_groups]
