"""Where a model is asked with one key, and with what headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import quote

from shared.endpoints.keys.cloud_account import CloudAccount
from shared.endpoints.keys.key import Key
from shared.endpoints.protocols.annotator import proxy_for
from shared.endpoints.protocols.doors.addresses import cloud_models_url, server_and_version
from shared.program.reporting.secret_mask import SecretMask
from shared.value_class import value_class


@value_class
class Door:
    """A model behind one of the two doors; ``mask`` hides what opens it.

    To an ``account`` it opens with an access token, which is not among the ``headers``.
    """

    model_url: str
    headers: Mapping[str, str] = field(repr=False)
    mask: SecretMask
    proxy: str | None
    account: CloudAccount | None = None


class Doors:
    """Finds the door of a key and a model."""

    def __init__(self, base_url: str | None, timeout_s: float) -> None:
        """``base_url`` is another server than the service's own, and stands for both doors."""
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._server, version = server_and_version(base_url)
        self._models_url = f"{self._server}/{version}/models"
        self._doors: dict[tuple[CloudAccount | str, str], Door] = {}
        self.token_mask = SecretMask()
        """Hides access tokens; whoever gets one registers it."""

    def of(self, key: Key, model: str) -> Door:
        """Return where ``model`` is asked with ``key``."""
        opener = key.account or key.secret
        door = self._doors.get((opener, model))
        if door is None:
            door = self._doors[opener, model] = self._door(key, model)
        return door

    def _door(self, key: Key, model: str) -> Door:
        headers = {
            "Content-Type": "application/json",
            "X-Server-Timeout": str(math.ceil(self._timeout_s)),
        }
        if key.account is not None:
            models_url = cloud_models_url(key.account, self._base_url)
            proxy = proxy_for(models_url)
            url = f"{models_url}/{quote(model)}"
            return Door(url, headers, self.token_mask, proxy, key.account)
        headers["x-goog-api-key"] = key.secret
        url = f"{self._models_url}/{quote(model)}"
        return Door(url, headers, SecretMask([key.secret]), proxy_for(self._server))
