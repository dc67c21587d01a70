"""What becomes of models: the stage of a life, its end, and who answers in its place; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Final

from shared.endpoints.models.known import KnownModel
from shared.value_class import value_class

_VERSION: Final = re.compile(r"([-:@](latest|preview|exp|experimental|v?\d[\d.-]*))+")
"""What services put behind a model's name: ``-001``, ``-preview-09-2025``, ``:latest``."""


@value_class
class ModelStatus:
    """What a service says of a model: the stage of its life, and when that ends.

    ``stage`` is the service's own word, such as DEPRECATED, empty where it says none;
    ``retires_at`` is in seconds since the epoch.
    """

    stage: str = ""
    retires_at: float | None = None


NO_STATUS: Final = ModelStatus()


@value_class
class Retirement:
    """When a model is shut down, seconds since the epoch, who says so, and what follows it."""

    at: float
    said_by: str
    followed_by: str = ""


def retirement(model: KnownModel, told_at: float | None = None) -> Retirement | None:
    """Return when a model is shut down; ``None`` where nobody says.

    ``told_at`` is what the service said at run time, seconds since the epoch, and wins.
    """
    if told_at is not None:
        return Retirement(told_at, "the service", model.successor)
    if model.retires_on is None:
        return None
    # Google names days; which moment of one it means, it does not say.
    begins = datetime.combine(model.retires_on, time(), UTC)
    return Retirement(begins.timestamp(), "models.toml", model.successor)


def is_another_model(asked: str, answered: str) -> bool:
    """Return whether a reply names another model than the one that was asked for.

    A version behind the name is no other model: ``gpt-4o-2024-08-06`` answers for ``gpt-4o``. What
    ``-latest`` stands for is the service's to say.
    """
    asked, answered = _plain_name(asked), _plain_name(answered)
    if not asked or not answered or asked == answered or asked.endswith("latest"):
        return False
    longer, shorter = sorted((asked, answered), key=len, reverse=True)
    return not (longer.startswith(shorter) and _VERSION.fullmatch(longer[len(shorter) :]))


def _plain_name(name: str) -> str:
    return name.strip().lower().rsplit("/", 1)[-1]
