"""An address as options name it: read and checked, before anything is sent or written."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Final

from evaluator.answering.named_adapters import AdapterChoice
from evaluator.endpoints.address.endpoint import Endpoint, further_fields
from evaluator.endpoints.address.options import AddressOptions
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.keyfile import read_key_file
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.known import packaged_models
from shared.endpoints.protocols.annotator import check_base_url, require_stated_address
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError
from shared.vqa.inputs.instruction import ANY_CHAT_MODEL, Instruction, default_prompt

MOST_TOKENS: Final = 256
"""What bounds a reply where nobody says: chat models end short answers themselves, some think."""


def endpoint_of(
    options: AddressOptions,
    model: str,
    adapters: AdapterChoice,
    instruction: Instruction,
    *,
    role: str = "",
) -> Endpoint:
    """Return the address that options name; ``role`` is that of ``Endpoint``.

    Raises:
        InputError: address, keys or another option cannot be used.
    """
    option = f"--{role}-endpoint" if role else "--endpoint"
    service = options.service or Service.OPENAI
    protocol = service.protocol
    if service is Service.OPENAI and find_spec("openai") is None:
        raise InputError(f"{option} needs an extra: pip install 'abo-vqa[evaluator,openai]'")
    _require_no_secret(options.endpoint or "", option)
    check_base_url(options.endpoint, option)
    require_stated_address(protocol.address_variable, options.endpoint, option=option)
    file = read_key_file(
        options.keys, source=protocol.keys, option=f"{option.removesuffix('endpoint')}keys"
    )
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
        in_flight=options.concurrency,
        timeout_s=options.timeout,
        longest_px=options.image_px,
        instruction=_in_a_prompt(instruction),
        most_output_tokens=_most_tokens(instruction, service),
        thinking=options.thinking or "",
        further_fields=further_fields(
            options.extra_body, f"{option.removesuffix('endpoint')}extra-body"
        ),
        role=role,
    )
    # Refused before anything is written.
    _ = endpoint.settings_of_models
    return endpoint


def _require_no_secret(url: str, option: str) -> None:
    """Check that an address may be shown: it stands in messages and in the run folder.

    Raises:
        InputError: it holds a user, a password or a query.
    """
    if "@" in url or "?" in url or "#" in url:
        raise InputError(
            f"{option}: an address takes no user, password or query, which messages would show; "
            f"give a key by {option.removesuffix('endpoint')}keys FILE or in the environment"
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
