"""A model that is asked, with the limits that are stated for it."""

from __future__ import annotations

from dataclasses import field

from shared.endpoints.keys.quota import LIMITS, Quota
from shared.value_class import value_class


@value_class
class AskedModel:
    """A model by the service's name; ``quota`` has limits of its own, in each project."""

    name: str
    quota: Quota = field(default_factory=Quota)

    def quota_with(self, of_key: Quota) -> Quota:
        """Return the limits in a project whose keys state ``of_key``: its own come first."""
        own = {name: getattr(self.quota, name) for name in LIMITS}
        return Quota(
            **{
                name: getattr(of_key, name) if limit is None else limit
                for name, limit in own.items()
            }
        )
