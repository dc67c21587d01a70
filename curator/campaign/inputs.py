"""What a run is given, read and checked before anything is written and before its first request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from curator.annotators.annotator import check_base_url, require_stated_address
from curator.annotators.image_encoding import LONGEST_PX
from curator.annotators.prompt import Prompt
from curator.annotators.registry import Service
from curator.catalog import Catalog, open_catalog
from curator.keys.key import Key
from curator.keys.keyfile import read_keys
from curator.keys.models import KnownModel, ModelCatalogue, packaged_models
from curator.ledger import Campaign
from curator.ledger.database.opening import check_version
from curator.pool.pool import OnExhausted
from curator.pool.records import RemovedKey
from shared.errors import InputError

if TYPE_CHECKING:
    from curator.status.page import Address


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What ``curator run`` was asked for, as given on the command line."""

    catalog: Path
    keys: Path | None
    ledger: Path
    images: Path | None
    model: str
    base_url: str | None
    questions: int
    answer_words: int
    limit: int | None
    concurrency: int
    on_exhausted: OnExhausted
    status: str | None
    timeout_s: float
    watch: bool = False
    retry_dead: bool = False
    retry_keys: bool = False
    verify: float = 0.0
    shuffle: int | None = None
    requests_per_minute: int | None = None
    annotator: Service = Service.GEMINI
    known_models: ModelCatalogue = field(default_factory=packaged_models)
    status_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The same, read and found usable; nothing has been written yet.

    ``keys`` are all that were given, ``serving`` those that did not fail for good in a run before;
    those that did are in ``removed``, by fingerprint. ``told_ends`` is when models retire, seconds
    since the epoch, where the service said so before the first request.
    """

    catalog: Catalog
    keys: Sequence[Key]
    models: Sequence[KnownModel]
    prompt: Prompt
    campaign: Campaign
    address: Address | None
    serving: Sequence[Key] = ()
    removed: Mapping[str, RemovedKey] = field(default_factory=dict)
    told_ends: Mapping[str, float] = field(default_factory=dict)


def plan_run(options: RunOptions) -> RunPlan:
    """Read and check every input.

    Raises:
        InputError: one of them cannot be used; nothing was written.
    """
    check_base_url(options.base_url)
    require_stated_address(options.annotator.protocol.address_variable, options.base_url)
    models = (options.known_models.known(options.model),)
    prompt = Prompt(options.questions, options.answer_words)
    plan = RunPlan(
        catalog=open_catalog(options.catalog, options.images),
        keys=_keys(options),
        models=models,
        prompt=prompt,
        campaign=Campaign(
            options.model, prompt.version, options.questions, options.annotator.value
        ),
        address=_address(options),
    )
    check_version(options.ledger)
    for model in models:
        _check_token_limits(plan.keys, prompt.largest_request_tokens(model, LONGEST_PX))
    return plan


def _keys(options: RunOptions) -> Sequence[Key]:
    protocol = options.annotator.protocol
    protocol.require()
    return read_keys(options.keys, source=protocol.keys)


def _check_token_limits(keys: Sequence[Key], needed: int) -> None:
    for key in keys:
        if key.quota.tpm is not None and key.quota.tpm < needed:
            raise InputError(
                f"key {key.label!r}: tpm = {key.quota.tpm} is less than one request needs "
                f"(about {needed} tokens); raise it or remove it"
            )


def _address(options: RunOptions) -> Address | None:
    if options.status is None:
        return None
    # It imports aiohttp, and most runs have no page.
    from curator.status.page import parse_address  # noqa: PLC0415

    return parse_address(options.status, options.status_token)
