"""An address and how it is asked: checked before anything is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from evaluator.endpoints.address.options import IN_FLIGHT, LONGEST_PX, TIMEOUT_S
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.models.asked_settings import (
    AskedSettings,
    ModelSettings,
    settings_for,
)
from shared.endpoints.models.known import KnownModel
from shared.endpoints.models.prices import Price
from shared.endpoints.protocols.annotator import AskedForm
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError
from shared.vqa.inputs.instruction import NO_INSTRUCTION, Instruction


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model behind an address, and the modules laid over it there.

    ``base_url`` is ``None`` for the service's own address. ``adapter`` is the name by which the
    server has the base with a LoRA module over it, empty for the base itself; of several,
    ``adapters`` has the name for each domain. ``most_output_tokens`` is ``None`` where the model
    may write as much as it likes. ``form`` is how strictly a reply's form is asked for. ``role`` is
    what the model is there for where it does not answer, and begins its options. ``known`` has what
    is known of each name that is asked.
    """

    service: Service
    base_url: str | None
    model: str
    keys: tuple[Key, ...] = field(repr=False)
    models: tuple[AskedModel, ...]
    known: Mapping[str, KnownModel]
    adapter: str = ""
    adapters: Mapping[str, str] = field(default_factory=dict)
    in_flight: int = IN_FLIGHT
    timeout_s: float = TIMEOUT_S
    longest_px: int = LONGEST_PX
    instruction: Instruction = NO_INSTRUCTION
    most_output_tokens: int | None = None
    thinking: str = ""
    further_fields: Mapping[str, Any] = field(default_factory=dict)
    form: AskedForm = AskedForm.PLAIN
    role: str = ""

    def option(self, name: str) -> str:
        """Return the option that says ``name`` of the address, as messages quote it."""
        if not self.role:
            return f"--{name}"
        return f"--{self.role}" if name == "model" else f"--{self.role}-{name}"

    @property
    def told(self) -> str:
        """Return what messages begin with."""
        return f"{self.option('endpoint')} {self.address}"

    @property
    def address(self) -> str:
        """What messages call it."""
        return self.base_url or self.service.value

    def module_for(self, domain: str) -> str:
        """Return the name of the model that answers questions of a domain."""
        return self.adapters.get(domain) or self.adapter or self.model

    @property
    def way_of_asking(self) -> str:
        """Return a digest of all that an answer depends on besides model, picture and question."""
        way = [
            self.service.value,
            self.instruction.template,
            self.most_output_tokens,
            self.longest_px,
            self.thinking,
            self.further_fields,
        ]
        return hashlib.sha256(orjson.dumps(way, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]

    @property
    def modules(self) -> str:
        """Return which modules lie over the base, in words; empty for none."""
        named = [f"{domain}={module}" for domain, module in self.adapters.items()]
        modules = [self.adapter] if self.adapter else named
        return f"with {', '.join(modules)}" if modules else ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names that are asked, the base among them."""
        names = [self.model, self.adapter, *self.adapters.values()]
        return tuple(name for name in dict.fromkeys(names) if name)

    @property
    def settings_of_models(self) -> dict[str, ModelSettings]:
        """Return what each model is told of how to think.

        Raises:
            InputError: one is known to refuse that.
        """
        asked = AskedSettings(thinking=self.thinking)
        return {name: settings_for(model, asked) for name, model in self.known.items()}

    def price_of(self, model: str) -> Price | None:
        """Return what is known of a model's price."""
        known = self.known.get(model)
        return None if known is None else known.price


def further_fields(text: str, option: str = "--extra-body") -> dict[str, Any]:
    """Read the JSON object that goes into the body of each request; ``option`` named it.

    Raises:
        InputError: it is none.
    """
    if not text:
        return {}
    try:
        value = orjson.loads(text)
    except ValueError as error:
        raise InputError(f"{option} {text!r}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise InputError(
            f"{option} {text!r}: give a JSON object, such as "
            '\'{"chat_template_kwargs": {"enable_thinking": false}}\''
        )
    return value
