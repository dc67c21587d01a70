"""What the pool is told of runs before: limits learned, quota used, keys that failed."""

from __future__ import annotations

from dataclasses import field
from typing import NamedTuple

from shared.endpoints.keys.quota import LearnedLimits, Quota, Window
from shared.value_class import value_class


class Meter(NamedTuple):
    """What Google counts by: a project and a model."""

    project: str
    model: str


@value_class
class ProjectRecord:
    """What must be remembered of a project and model: its cool-down and the limits it taught us.

    ``refused_because`` is why the model is not served there at all, empty where it is.
    """

    project: str
    model: str
    blocked_until: float = 0.0
    blocked_window: Window = Window.MINUTE
    probe_at: float | None = None
    learned: LearnedLimits = field(default_factory=dict)
    refused_because: str = ""

    @property
    def meter(self) -> Meter:
        """What it is about."""
        return Meter(self.project, self.model)


@value_class
class RemovedKey:
    """What is remembered of a key that failed for good: how its line read, why and when it left."""

    label: str
    project: str
    quota: Quota
    reason: str
    at: float


@value_class
class ProjectUse:
    """What a project has used of its windows for a model.

    ``last_minute`` holds time and tokens of each request, oldest first.
    """

    last_minute: tuple[tuple[float, int], ...] = ()
    today: int = 0


@value_class
class ModelUse:
    """What a project has of a model: requests since the quota day began, and the limits.

    ``quota`` is as stated and learned; ``refused_because`` is why the model is not served there,
    empty where it is.
    """

    model: str
    today: int
    quota: Quota
    refused_because: str = ""
