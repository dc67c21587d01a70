"""Which models are asked, in order of preference: those named, or those of the keys file."""

from __future__ import annotations

from collections.abc import Sequence

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import LIMITS, Quota
from shared.endpoints.models.asked_settings import AskedSettings, ModelSettings, settings_for
from shared.endpoints.models.known import KnownModel, ModelCatalogue
from shared.endpoints.models.tier import Tier, require_taken
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


def models_to_ask(
    annotator: Service, named: Sequence[str], tables: Sequence[AskedModel], known: ModelCatalogue
) -> tuple[AskedModel, ...]:
    """Return the models ``named``, those of the ``tables`` where none is, or the usual one.

    Each is called as the service calls it, and has the limits of its table. Empty where none is
    named and the service has no usual one.

    Raises:
        InputError: a name is blank.
    """
    protocol = annotator.protocol
    usual = [known.default] if protocol.has_listed_models else []
    limits = {protocol.model_name(table.name): table.quota for table in tables}
    names = dict.fromkeys(map(protocol.model_name, named)) or limits or dict.fromkeys(usual)
    if any(not name.strip() for name in names):
        raise InputError("--model: a name is blank; give one, or leave the option out")
    return tuple(AskedModel(name, limits.get(name, Quota())) for name in names)


def require_free(keys: Sequence[Key]) -> None:
    """Check that ``keys`` may have free quotas.

    Raises:
        InputError: one is an account of Google Cloud, which pays for all that it asks.
    """
    for key in keys:
        if key.account is not None:
            raise InputError(f"--free: key {key.label!r} is an account of Google Cloud, which pays")


def free_quotas(
    models: Sequence[AskedModel], known: Sequence[KnownModel]
) -> tuple[AskedModel, ...]:
    """Return ``models`` with what each allows a project without billing, where it is ``known``.

    The limits of its own table come first.

    Raises:
        InputError: a model is known to allow nothing.
    """
    free = []
    for asked, model in zip(models, known, strict=True):
        limits = {name: getattr(model.free, name) for name in LIMITS}
        if 0 in limits.values():
            raise InputError(f"--free: {model.name} is not to be had without billing")
        free.append(AskedModel(asked.name, asked.quota_with(Quota(**limits))))
    return tuple(free)


def settings_of_models(
    annotator: Service, models: Sequence[KnownModel], asked: AskedSettings
) -> dict[str, ModelSettings]:
    """Return what each model is told of how to think and to look, by name.

    Raises:
        InputError: the service has no word for that, or a model is known to refuse it.
    """
    details = annotator.protocol.image_details
    if asked.image_detail and asked.image_detail not in details:
        taken = ", ".join(details)
        raise InputError(
            f"--image-detail {asked.image_detail}: --service {annotator.value} takes {taken}"
        )
    return {model.name: settings_for(model, asked) for model in models}


def require_tier(annotator: Service, models: Sequence[KnownModel], tier: Tier) -> None:
    """Check that ``models`` can be asked at ``tier``, as far as that is known.

    Raises:
        InputError: the service has no word for it, or a model is known to lack it.
    """
    words = annotator.protocol.tiers
    if tier not in words:
        taken = ", ".join(words)
        raise InputError(f"--tier {tier}: --service {annotator.value} takes {taken}")
    require_taken(tier, models)


def names_not_listed(
    annotator: Service, models: Sequence[KnownModel], known: ModelCatalogue
) -> dict[str, list[str]]:
    """Return the names of ``models`` that are not known, each with known ones that look like it."""
    if not annotator.protocol.has_listed_models:
        return {}
    return {model.name: [*known.nearest(model.name)] for model in models if not model.is_listed}


def warn_of_unlisted(
    annotator: Service, models: Sequence[KnownModel], known: ModelCatalogue
) -> None:
    """Warn of models that are not listed, with the nearest names; the service has the last word."""
    for name, nearest in names_not_listed(annotator, models, known).items():
        near = {"nearest": ", ".join(nearest)} if nearest else {}
        log.warning("model_not_listed", model=name, **near)
