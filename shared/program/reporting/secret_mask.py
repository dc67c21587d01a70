"""Keeps secrets out of texts: what replaces them, in whatever form they stand there; pure."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

MASK: Final = "[secret]"
SHORTEST_SECRET: Final = 6
"""Characters."""


class SecretMask:
    """Replaces every registered secret in whatever text passes through.

    In clear, and as it looks quoted for an address, in JSON, in Python or in base64.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Keys of one kind begin alike, so that a text without any is searched for that alone.
        self._by_start: dict[str, set[str]] = {}
        self.register(secrets)

    def register(self, secrets: Iterable[str]) -> None:
        """Add secrets; strings of fewer than 6 characters would mask ordinary words."""
        by_start = {start: set(known) for start, known in self._by_start.items()}
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET:
                for form in _forms(secret):
                    by_start.setdefault(form[:SHORTEST_SECRET], set()).add(form)
        # Another thread may be masking.
        self._by_start = by_start

    def __call__(self, text: str) -> str:
        """Return ``text`` with each secret replaced by ``MASK``."""
        for start, secrets in self._by_start.items():
            if start in text:
                for secret in secrets:
                    text = text.replace(secret, MASK)
        return text


def _forms(secret: str) -> set[str]:
    content = secret.encode()
    coded = (b64encode(content), urlsafe_b64encode(content))
    in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    quoted = (quote(secret), quote(secret, safe=""), repr(secret)[1:-1], *in_json)
    return {secret, *quoted, *(code.decode().rstrip("=") for code in coded)}
