"""Whom a pool has: keys, the models that they ask, and the projects that both are counted by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.pool.exhaustion import no_key_left
from shared.endpoints.pool.project import Project
from shared.endpoints.pool.records import Meter, ModelUse, ProjectRecord
from shared.endpoints.refusals.refusal import Refusal


class PoolMembers:
    """The keys and models of a run, as long as nothing closes them."""

    def __init__(
        self,
        keys: Sequence[Key],
        models: Sequence[AskedModel],
        projects: Mapping[Meter, Project],
    ) -> None:
        # Those that served longest ago come first.
        self._keys = list(keys)
        self._models = tuple(model.name for model in models)
        self._projects = projects
        self._removed: dict[str, str] = {}
        self._left: dict[str, Refusal] = {}
        self.fingerprints = frozenset(key.fingerprint for key in keys)

    @property
    def removed(self) -> Mapping[str, str]:
        """Why keys left the pool, by fingerprint."""
        return self._removed

    def records(self) -> dict[Meter, ProjectRecord]:
        """Return each cool-down and what it taught, as they are now."""
        return {meter: project.record() for meter, project in self._projects.items()}

    def uses(self, now: float) -> dict[Meter, ModelUse]:
        """Return what each project has of each model."""
        return {meter: project.model_use(now) for meter, project in self._projects.items()}

    def in_service(self) -> list[tuple[Key, str]]:
        """Return each key with each model that it may still be asked, by preference of model.

        Raises:
            KeysExhausted, NoProjectMayUse: there is no key any more.
        """
        if turns := self._open_turns(self._models):
            return turns
        raise no_key_left(self._left, self._models)

    def in_service_for_jobs(self) -> list[tuple[Key, str]]:
        """Return the same without accounts of Google Cloud, which make no batch jobs.

        Raises:
            KeysExhausted, NoProjectMayUse: there is no other key any more.
        """
        if turns := [turn for turn in self._open_turns(self._models) if turn[0].account is None]:
            return turns
        raise no_key_left(self._left, self._models)

    def others_serve(self, model: str) -> bool:
        """Return whether another model than ``model`` may still be asked with some key."""
        return self._serves(other for other in self._models if other != model)

    def _serves(self, models: Iterable[str]) -> bool:
        return bool(self._open_turns(models))

    def _open_turns(self, models: Iterable[str]) -> list[tuple[Key, str]]:
        asked = (model for model in models if model in self._models)
        turns = [(key, model) for model in asked for key in self._keys]
        return [
            (key, model)
            for key, model in turns
            if not self._projects[Meter(key.project, model)].is_closed
        ]

    def _meters_of(self, project: str) -> list[Meter]:
        return [Meter(project, model) for model in self._models]
