"""A key of the pool: shown by its label, stored by its fingerprint.

Google Cloud's door opens to access tokens instead: a key of it names an account. The secret itself
is only ever handed to the annotator's client. ``shared.endpoints.keys.keyfile`` reads keys.
"""

from __future__ import annotations

import hashlib
from dataclasses import field

from shared.endpoints.keys.cloud_account import CloudAccount
from shared.endpoints.keys.key_form import KeyKind, kind_of
from shared.endpoints.keys.quota import Quota
from shared.value_class import value_class


@value_class
class Key:
    """A credential; ``project`` names what Google meters, together with all its other keys.

    One with an ``account`` has no ``secret``: its access tokens come and go.
    """

    label: str
    project: str
    secret: str = field(repr=False)
    quota: Quota = field(default_factory=Quota)
    account: CloudAccount | None = None
    fingerprint: str = field(init=False)
    """16 hexadecimal digits that tell keys apart and reveal none.

    They are the start of a plain SHA-256: of the secret, or of what an account is called. That
    would betray a secret that can be guessed, but Google's keys are 35 random characters: nobody
    can try them all.
    """

    def __post_init__(self) -> None:
        told = self.secret
        if self.account is not None:
            told = f"{self.account.place} {self.account.email}"
        object.__setattr__(self, "fingerprint", fingerprint_of(told))

    @property
    def kind(self) -> KeyKind:
        """Which door it opens, and how it begins."""
        return kind_of(self.secret) if self.account is None else KeyKind.ENTERPRISE

    @property
    def is_of_assumed_project(self) -> bool:
        """Whether its project is not stated, and it is taken for one of its own."""
        return self.project == assumed_project(self.secret)


def fingerprint_of(secret: str) -> str:
    """Return the fingerprint of a key; see ``Key.fingerprint``."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def assumed_project(secret: str) -> str:
    """Return the project of a key that states none."""
    return f"project-of-{fingerprint_of(secret)[:8]}"
