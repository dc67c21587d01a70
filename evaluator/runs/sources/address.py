"""A model behind an address as the source of answers: what is asked there, checked before it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, Final

from evaluator.answering.fleet import Fleet
from evaluator.answering.named_adapters import AdapterChoice
from evaluator.endpoints.endpoint import AddressOptions, Endpoint, further_fields
from evaluator.endpoints.fleet import EndpointFleet
from evaluator.endpoints.journal import JOURNAL_FILE, Journal
from evaluator.endpoints.spent import Prices, cost_of
from evaluator.runs.record import NamedAdapter
from evaluator.runs.settings import RunSettings
from evaluator.runs.status import Pace
from evaluator.scoring.cost import Cost
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.keyfile import read_key_file
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.known import packaged_models
from shared.endpoints.protocols.annotator import check_base_url, require_stated_address
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError
from shared.program.clock import Clock
from shared.vqa.inputs.instruction import (
    ANY_CHAT_MODEL,
    Instruction,
    default_prompt,
)
from shared.vqa.trained_on import KnownTraining

MOST_TOKENS: Final = 256
"""What bounds a reply where nobody says: chat models end short answers themselves, some think."""
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
        if self._fleet is not None:
            self._fleet.close()


def endpoint_of(
    options: AddressOptions, model: str, adapters: AdapterChoice, instruction: Instruction
) -> Endpoint:
    """Return the address that options name.

    Raises:
        InputError: address, keys or another option cannot be used.
    """
    service = options.service or Service.OPENAI
    protocol = service.protocol
    if service is Service.OPENAI and find_spec("openai") is None:
        raise InputError("--endpoint needs an extra: pip install 'abo-vqa[evaluator,openai]'")
    _require_no_secret(options.endpoint or "")
    check_base_url(options.endpoint, "--endpoint")
    require_stated_address(protocol.address_variable, options.endpoint, option="--endpoint")
    file = read_key_file(options.keys, source=protocol.keys)
    protocol.require_credentials(file.keys)
    model = protocol.model_name(model)
    limits = {protocol.model_name(table.name): table.quota for table in file.models}
    single = "" if adapters.single is None else str(adapters.single)
    named = {domain: str(module) for domain, module in adapters.named.items()}
    names = [name for name in dict.fromkeys([model, single, *named.values()]) if name]
    catalogue = packaged_models()
    endpoint = Endpoint(
        service,
        options.endpoint,
        model,
        file.keys,
        tuple(AskedModel(name, limits.get(name, Quota())) for name in names),
        {name: catalogue.known(name) for name in names},
        adapter=single,
        adapters=named,
        in_flight=options.in_flight,
        timeout_s=options.timeout,
        longest_px=options.image_px,
        instruction=_in_a_prompt(instruction),
        most_output_tokens=_most_tokens(instruction, service),
        thinking=options.thinking or "",
        further_fields=further_fields(options.extra_body),
    )
    # Refused before anything is written.
    _ = endpoint.settings_of_models
    return endpoint


def _require_no_secret(url: str) -> None:
    """Check that an address may be shown: it stands in messages and in the run folder.

    Raises:
        InputError: it holds a user, a password or a query.
    """
    if "@" in url or "?" in url or "#" in url:
        raise InputError(
            "--endpoint: an address takes no user, password or query, which messages would show; "
            "give a key by --keys FILE or OPENAI_API_KEY"
        )


def _in_a_prompt(instruction: Instruction) -> Instruction:
    """Return the instruction, with the chat models' prompt where none is given."""
    template = instruction.template or default_prompt(ANY_CHAT_MODEL)
    return replace(instruction, template=template)


def _most_tokens(instruction: Instruction, service: Service) -> int | None:
    """Return the limit that is sent; ``None`` for none.

    Gemini counts thinking as output, so that no limit is right for all its models.
    """
    if instruction.max_new_tokens is not None:
        return instruction.max_new_tokens
    return None if service is Service.GEMINI else MOST_TOKENS
