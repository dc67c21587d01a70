"""The run of a device that helps another: the same steps, and nothing written."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from peft import set_peft_model_state_dict

from shared.program.stopping import StopSignal
from trainer.fitting.preparation import Preparation
from trainer.fitting.run import course_of, memory_advice
from trainer.recipe.recipe import FitRecipe
from trainer.training.loop import StepReport
from trainer.training.run import Keeping, Run
from trainer.training.team import Team


class HelpingRun(Run[None]):
    """A run whose numbers and weights the first device keeps."""

    def __init__(
        self,
        recipe: FitRecipe,
        prepared: Preparation,
        *,
        fingerprint: str,
        stop: StopSignal,
        team: Team,
    ) -> None:
        self._recipe, self._adapter = recipe, prepared.adapter
        super().__init__(
            course_of(recipe, prepared, team),
            Keeping(recipe.out, recipe.checkpoint_every_steps, fingerprint),
            stop,
        )

    def finish(self) -> None:
        """Keep nothing."""

    @property
    def memory_advice(self) -> str:
        """As the first device's."""
        return memory_advice(self._recipe)

    def _begin(self) -> None:
        """Prepare nothing."""

    def _weights(self) -> Mapping[str, torch.Tensor]:
        return {}

    def _restore(self, weights: Mapping[str, torch.Tensor]) -> None:
        set_peft_model_state_dict(self._adapter.peft, dict(weights))

    def _keep_step(self, report: StepReport) -> None:
        """Keep nothing."""

    def _keep_epoch(self, epoch: int, report: StepReport) -> None:
        """Score nothing; the next step begins when the first device has scored."""

    def _save(self) -> None:
        """Save nothing."""
