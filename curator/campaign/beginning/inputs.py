"""What a run is given, read and checked before anything is written and before its first request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from curator.annotators.batch.extra import require_batch_sdk, require_key_for_jobs
from curator.annotators.models_to_ask import models_to_ask, require_tier, settings_of_models
from curator.catalog import NO_COLUMNS, Catalog, NamedColumns, open_catalog
from curator.judging.agreeing.listing_map import ListingMap, read_map
from curator.judging.examples import read_sound_prompts
from curator.ledger import Campaign
from curator.ledger.database.opening import check_version
from curator.prompts.prompts import Prompts
from shared.endpoints.image_encoding import LONGEST_PX
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.keyfile import KeyFile, read_key_file
from shared.endpoints.models.asked_settings import (
    AS_THE_MODEL_CHOOSES,
    AskedSettings,
    ModelSettings,
)
from shared.endpoints.models.budget_limit import NO_LIMIT, BudgetLimit, require_sensible
from shared.endpoints.models.known import KnownModel, ModelCatalogue, packaged_models
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.pool.records import Meter, RemovedKey
from shared.endpoints.protocols.annotator import check_base_url, require_stated_address
from shared.endpoints.protocols.registry import Service
from shared.endpoints.token_estimates import TokenEstimates
from shared.errors import InputError
from shared.images.fitness import ANY_PICTURE, Fitness
from shared.program.reporting.secret_mask import SecretMask
from shared.value_class import value_class

if TYPE_CHECKING:
    from curator.status.page import Address


@value_class
class RunOptions:
    """What ``curator run`` was asked for, as given on the command line."""

    catalog: Path
    keys: Path | None
    ledger: Path
    images: Path | None
    models: Sequence[str]
    base_url: str | None
    questions: int | None
    answer_words: int | None
    limit: int | None
    concurrency: int
    on_exhausted: OnExhausted
    status: str | None
    timeout_s: float
    watch: bool = False
    retry_dead: bool = False
    retry_keys: bool = False
    yes: bool = False
    once_per_look: bool = False
    views: int = 1
    verify: float = 0.0
    canary: int = 0
    fitness: Fitness = ANY_PICTURE
    shuffle: int | None = None
    requests_per_minute: int | None = None
    annotator: Service = Service.GEMINI
    known_models: ModelCatalogue = field(default_factory=packaged_models)
    budget: BudgetLimit = NO_LIMIT
    settings: AskedSettings = AS_THE_MODEL_CHOOSES
    prompts: Sequence[tuple[Path, float | None]] = ()
    tier: Tier = Tier.STANDARD
    columns: NamedColumns = NO_COLUMNS
    agreement: Path | None = None
    status_token: str | None = field(default=None, repr=False)


@value_class
class RunPlan:
    """The same, read and found usable; nothing has been written yet.

    ``models`` are asked in this order of preference. ``keys`` are all that were given, ``serving``
    those that did not fail for good in a run before; those that did are in ``removed``, by
    fingerprint. ``closed`` are the models that a look found closed to a project.
    ``told_ends`` is when models retire, seconds since the epoch, where the service
    said so before the first request, and ``settings`` what each is told of how to think and to
    look. ``mask`` hides all secrets of the run.
    """

    catalog: Catalog
    keys: Sequence[Key]
    models: Sequence[KnownModel]
    prompts: Prompts
    listing_map: ListingMap | None
    campaign: Campaign
    address: Address | None
    serving: Sequence[Key] = ()
    removed: Mapping[str, RemovedKey] = field(default_factory=dict)
    closed: frozenset[Meter] = frozenset()
    told_ends: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, ModelSettings] = field(default_factory=dict)
    mask: SecretMask = field(default_factory=SecretMask, repr=False)


def plan_run(options: RunOptions) -> RunPlan:
    """Read and check every input.

    Raises:
        InputError: one of them cannot be used; nothing was written.
    """
    check_base_url(options.base_url)
    require_stated_address(options.annotator.protocol.address_variable, options.base_url)
    key_file = _key_file(options)
    asked = _models(options, key_file.models)
    models = [options.known_models.known(model.name) for model in asked]
    require_tier(options.annotator, models, options.tier)
    if options.tier is Tier.BATCH:
        require_batch_sdk()
        require_key_for_jobs(key_file.keys)
    require_sensible(options.budget, models, options.tier)
    prompts = read_sound_prompts(options.prompts, options.questions, options.answer_words)
    prompts = prompts.with_views(options.views)
    plan = RunPlan(
        catalog=open_catalog(options.catalog, options.images, options.columns),
        keys=key_file.keys,
        models=models,
        prompts=prompts,
        listing_map=read_map(options.agreement),
        campaign=Campaign(
            asked,
            prompts.version,
            prompts.questions,
            options.annotator.value,
            options.budget,
            options.canary,
            prompts=prompts.plain(),
        ),
        address=_address(options),
        settings=settings_of_models(options.annotator, models, options.settings),
        mask=SecretMask([*(key.secret for key in key_file.keys), options.status_token or ""]),
    )
    prompts.require_fields(plan.catalog)
    check_version(options.ledger)
    _check_token_limits(plan, TokenEstimates(options.known_models.tile, options.settings))
    # Last, because it may take seconds to find that there are none.
    options.annotator.protocol.require_credentials(key_file.keys)
    return plan


def _key_file(options: RunOptions) -> KeyFile:
    protocol = options.annotator.protocol
    protocol.require()
    return read_key_file(options.keys, source=protocol.keys)


def _models(options: RunOptions, tables: Sequence[AskedModel]) -> Sequence[AskedModel]:
    asked = models_to_ask(options.annotator, options.models, tables, options.known_models)
    if not asked:
        raise InputError(f"--service {options.annotator.value}: say which with --model NAME")
    return asked


def _check_token_limits(plan: RunPlan, estimates: TokenEstimates) -> None:
    largest = plan.prompts.largest_measure(LONGEST_PX)
    for asked, model in zip(plan.campaign.models, plan.models, strict=True):
        needed = estimates.input_tokens(model, largest)
        for key in plan.keys:
            tpm = asked.quota_with(key.quota).tpm
            if tpm is not None and tpm < needed:
                whose = f"model {asked.name!r}" if asked.quota.tpm else f"key {key.label!r}"
                raise InputError(
                    f"{whose}: tpm = {tpm} is less than one request needs (about {needed} "
                    "tokens); raise it or remove it"
                )


def _address(options: RunOptions) -> Address | None:
    if options.status is None:
        return None
    # It imports aiohttp, and most runs have no page.
    from curator.status.page import parse_address  # noqa: PLC0415

    return parse_address(options.status, options.status_token)
