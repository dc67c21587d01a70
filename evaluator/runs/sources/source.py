"""What a run has to know of whoever answers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from evaluator.answering.fleet import Fleet
from evaluator.endpoints.address.endpoint import Endpoint
from evaluator.runs.record import NamedAdapter
from evaluator.runs.status import Pace
from evaluator.scoring.cost import Cost
from shared.vqa.trained_on import KnownTraining


class AnswerSource(Protocol):
    """A model that a run can ask; nothing is loaded or sent before ``fleet`` is called."""

    @property
    def endpoint(self) -> Endpoint | None:
        """The address that is asked; ``None`` where replicas answer."""
        ...

    def training(self) -> KnownTraining:
        """Return what is known of the images that the weights were trained on."""
        ...

    def why_no_regions(self) -> str:
        """Return why regions behind an answer cannot be had; empty where they can."""
        ...

    def facts(self, *, with_regions: bool) -> Mapping[str, Any]:
        """Return what a run's record says of the model, by field of ``EvaluationRecord``."""
        ...

    def named_adapters(self) -> Mapping[str, NamedAdapter]:
        """Return the adapters that answer by domain, without the digest of their questions."""
        ...

    def fleet(self, *, with_regions: bool) -> Fleet:
        """Return who answers."""
        ...

    def cost(self, pace: Pace | None) -> Cost | None:
        """Return what all answers of the run took, of which ``pace`` says how fast they came."""
        ...

    def close(self) -> None:
        """Let go of what ``fleet`` took; as often as one likes."""
        ...
