"""Who answers ``evaluator predict``: a model in this process, or one behind an address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from evaluator.answering.messages import Answering
from evaluator.endpoints.address.endpoint import Endpoint
from evaluator.endpoints.fleet import EndpointFleet
from shared.program.clock import SystemClock
from shared.vqa.inputs.instruction import Instruction
from shared.vqa.trained_on import KnownTraining, known_training

if TYPE_CHECKING:
    from evaluator.answering.replica_settings import ReplicaSettings


class Predictor(Protocol):
    """A model that has still to be loaded, or connected to."""

    @property
    def images(self) -> str:
        """Return the folder or URL of the pictures."""
        ...

    @property
    def instruction(self) -> Instruction:
        """Return how it is asked."""
        ...

    def training(self) -> KnownTraining:
        """Return what is known of the images that the weights were trained on."""
        ...

    def answering(self, out: Path | None) -> AbstractContextManager[Answering]:
        """Return the model for the time of a block; ``out`` is where its answers will go."""
        ...


@dataclass(frozen=True)
class LoadedPredictor:
    """A replica in this process."""

    settings: ReplicaSettings

    @property
    def images(self) -> str:
        """Return the folder or URL of the pictures."""
        return self.settings.images

    @property
    def instruction(self) -> Instruction:
        """Return how it is asked."""
        return self.settings.instruction

    def training(self) -> KnownTraining:
        """Return what lies beside the weights."""
        adapter = self.settings.adapter
        return known_training(self.settings.model, [Path(adapter)] if adapter else [])

    @contextmanager
    def answering(self, out: Path | None) -> Iterator[Answering]:
        """Load the model."""
        # With it comes torch, which takes seconds and an address does without.
        from evaluator.answering.replica import Replica  # noqa: PLC0415

        del out
        yield Replica(self.settings)


@dataclass(frozen=True)
class AddressPredictor:
    """A model behind an address; what it answered stands beside ``out`` until that is whole."""

    endpoint: Endpoint
    images: str

    @property
    def instruction(self) -> Instruction:
        """Return how it is asked."""
        return self.endpoint.instruction

    def training(self) -> KnownTraining:
        """Return that nothing is known."""
        return KnownTraining(None)

    @contextmanager
    def answering(self, out: Path | None) -> Iterator[Answering]:
        """Connect to the address."""
        with TemporaryDirectory() as folder:
            place = Path(folder) / "out" if out is None else out
            # Asked in another way, a question may have another answer.
            journal = place.with_name(f"{place.name}.{self.endpoint.way_of_asking}.asked.jsonl")
            fleet = EndpointFleet(self.endpoint, self.images, journal, SystemClock())
            try:
                fleet.facts()
                yield fleet
            finally:
                fleet.close()
            journal.unlink(missing_ok=True)
