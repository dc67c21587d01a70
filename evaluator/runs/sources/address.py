"""A model behind an address as the source of answers: what is asked there, checked before it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evaluator.answering.fleet import Fleet
from evaluator.endpoints.address.endpoint import Endpoint
from evaluator.endpoints.address.given import endpoint_of
from evaluator.endpoints.fleet import EndpointFleet
from evaluator.endpoints.journal import JOURNAL_FILE, Journal
from evaluator.endpoints.spent import Prices, cost_of
from evaluator.runs.record import NamedAdapter
from evaluator.runs.settings import RunSettings
from evaluator.runs.status import Pace
from evaluator.scoring.cost import Cost
from shared.program.clock import Clock
from shared.vqa.trained_on import KnownTraining

NO_GRADIENTS: Final = "regions behind an answer need gradients, which no address gives"


class AddressSource:
    """Satisfies ``evaluator.runs.sources.source.AnswerSource``."""

    def __init__(self, settings: RunSettings, images: str, clock: Clock) -> None:
        """Look at keys and options.

        Raises:
            InputError: they cannot be used.
        """
        self._settings = settings
        self._images = images
        self._clock = clock
        self._endpoint = endpoint_of(
            settings.address_options, settings.model, settings.adapters, settings.instruction
        )
        self._fleet: EndpointFleet | None = None

    @property
    def endpoint(self) -> Endpoint:
        """The address that is asked."""
        return self._endpoint

    def training(self) -> KnownTraining:
        """Return that nothing is known."""
        return KnownTraining(None)

    def why_no_regions(self) -> str:
        """Return why regions behind an answer cannot be had."""
        return NO_GRADIENTS

    def facts(self, *, with_regions: bool) -> Mapping[str, Any]:
        """Return what a run's record says of the model.

        Where it is asked is not among it: a run goes on where the same model is served elsewhere.
        """
        assert not with_regions
        endpoint = self._endpoint
        return {
            "service": endpoint.service.value,
            "model": endpoint.model,
            "adapter": endpoint.adapter,
            "prompt": endpoint.instruction.template,
            "max_new_tokens": endpoint.most_output_tokens,
            "image_px": endpoint.longest_px,
            "thinking": endpoint.thinking,
            "extra_body": dict(endpoint.further_fields),
        }

    def named_adapters(self) -> Mapping[str, NamedAdapter]:
        """Return the modules that answer by domain."""
        return {
            domain: NamedAdapter(folder=module, sha256="")
            for domain, module in self._endpoint.adapters.items()
        }

    def fleet(self, *, with_regions: bool) -> Fleet:
        """Return who asks."""
        assert not with_regions
        self._fleet = EndpointFleet(
            self._endpoint, self._images, self._settings.out / JOURNAL_FILE, self._clock
        )
        return self._fleet

    def cost(self, pace: Pace | None) -> Cost | None:
        """Return what the journal says; ``pace`` knows no more."""
        del pace
        endpoint, settings = self._endpoint, self._settings
        journal = Journal(settings.out / JOURNAL_FILE)
        asked = {endpoint.module_for(domain) for domain in ("", *endpoint.adapters)}
        prices = Prices(endpoint.price_of, settings.given_price, settings.price_per_hour)
        return cost_of([one for one in journal.answers.values() if one.model in asked], prices)

    def close(self) -> None:
        """Close the connections."""
        fleet, self._fleet = self._fleet, None
        if fleet is not None:
            fleet.close()
