"""How soon and at what price a model answers: the tiers of a service, and who takes which."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from shared.endpoints.models.known import KnownModel
from shared.errors import InputError


class Tier(StrEnum):
    """How a request is served: at once, when there is room, or as part of a job."""

    STANDARD = "standard"
    FLEX = "flex"
    BATCH = "batch"


def require_taken(tier: Tier, models: Iterable[KnownModel]) -> None:
    """Check that none of ``models`` is known to lack ``tier``.

    Raises:
        InputError: one is.
    """
    for model in models:
        if model.tiers and tier not in model.tiers:
            raise InputError(f"--tier {tier}: {model.name} takes {', '.join(model.tiers)}")
