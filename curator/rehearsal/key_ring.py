"""The keys that the server knows, what has become of each, and the projects they belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Final

from curator.rehearsal.quota_book import OwnLimits, ProjectLimits
from curator.rehearsal.words import key_refusals
from curator.rehearsal.words.replies import WireReply
from shared.value_class import value_class

_NO_LIMITS: Final = ProjectLimits()
_NO_KEY: Final = "no-key"
MADE_UP_TOKEN: Final = "ya29.made-up-for-"  # noqa: S105 - how one begins


class RehearsedKeyState(StrEnum):
    """What Google thinks of a key."""

    VALID = "valid"
    INVALID = "invalid"
    EXPIRED = "expired"
    LEAKED = "leaked"
    SUSPENDED = "suspended"
    DENIED = "denied"
    UNPAID = "unpaid"
    """Its project has no credit left."""
    BLOCKED = "blocked"
    """It is restricted to other services."""
    SERVICE_DISABLED = "service_disabled"
    """Nobody turned the service on in its project."""
    WRONG_KIND = "wrong_kind"
    """It is of a kind that is not taken any more, or for another service."""
    CLOSED = "closed"
    """Its project is too new for the model."""


class UnlistedKeys(StrEnum):
    """What becomes of a key that the script does not name."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


@value_class
class RehearsedKey:
    """A key of the script; it is good for ``valid_for`` requests before ``state`` takes hold.

    One with ``is_enterprise`` is no key but an access token of Google Cloud, for its door alone;
    with ``takes_any_token``, it stands for any that comes for its project.
    """

    label: str
    project: str
    api_key: str = field(repr=False)
    state: RehearsedKeyState = RehearsedKeyState.VALID
    valid_for: int = 0
    is_enterprise: bool = False
    takes_any_token: bool = False

    def is_of(self, project: str, location: str) -> bool:
        """Return whether it is a token of a project of Google Cloud, in a location."""
        return self.is_enterprise and self.project in {project, f"{project}/{location}"}

    def state_after(self, requests: int) -> RehearsedKeyState:
        """Return the state that a request meets when there were ``requests`` before it."""
        return RehearsedKeyState.VALID if requests < self.valid_for else self.state

    def refusal(self, state: RehearsedKeyState, model: str) -> WireReply:
        """Return what Google answers to a key in ``state``, which is not valid."""
        number = _project_number(self.project)
        match state:
            case RehearsedKeyState.SUSPENDED:
                return key_refusals.suspended_key(self.api_key, number)
            case RehearsedKeyState.BLOCKED:
                return key_refusals.blocked_key(number)
            case RehearsedKeyState.SERVICE_DISABLED:
                return key_refusals.disabled_service(number)
            case RehearsedKeyState.CLOSED:
                return key_refusals.closed_model(model)
            case _:
                return _REFUSALS[state]()


_REFUSALS: Final[Mapping[RehearsedKeyState, Callable[[], WireReply]]] = {
    RehearsedKeyState.INVALID: key_refusals.invalid_key,
    RehearsedKeyState.EXPIRED: key_refusals.expired_key,
    RehearsedKeyState.LEAKED: key_refusals.leaked_key,
    RehearsedKeyState.DENIED: key_refusals.denied_project,
    RehearsedKeyState.WRONG_KIND: key_refusals.wrong_kind_of_key,
    RehearsedKeyState.UNPAID: key_refusals.unpaid_project,
}


class KeyRing:
    """Finds a key by its secret."""

    def __init__(
        self,
        keys: Iterable[RehearsedKey],
        projects: Mapping[str, ProjectLimits],
        *,
        unlisted: UnlistedKeys,
        unlisted_limits: ProjectLimits = _NO_LIMITS,
        own_limits: Mapping[tuple[str, str], OwnLimits],
    ) -> None:
        """Know ``keys`` and the limits of ``projects``.

        ``own_limits`` are those of a model in a project, or in every one, whose name is empty then.
        Each unlisted key that is accepted is a project of its own, under ``unlisted_limits``.
        """
        self._keys = {key.api_key: key for key in keys}
        self._projects = dict(projects)
        self._unlisted = unlisted
        self._unlisted_limits = unlisted_limits
        self._own_limits = own_limits

    def key(self, api_key: str) -> RehearsedKey:
        """Return the key with this secret, or what an unlisted one is taken for."""
        listed = self._keys.get(api_key)
        if listed is not None:
            return listed
        if not api_key:
            return RehearsedKey(label=_NO_KEY, project=_NO_KEY, api_key="")
        name = f"unlisted-{hashlib.sha256(api_key.encode()).hexdigest()[:8]}"
        accepted = self._unlisted is UnlistedKeys.ACCEPTED
        state = RehearsedKeyState.VALID if accepted else RehearsedKeyState.INVALID
        return RehearsedKey(label=name, project=name, api_key=api_key, state=state)

    def token_of(self, project: str, requests: Callable[[str], int]) -> RehearsedKey | None:
        """Return the first access token of a project that has not expired; ``None`` without one.

        ``requests`` tells how many a token has sent, by its label.
        """
        tokens = [key for key in self._keys.values() if key.is_enterprise]
        for key in tokens:
            if project in {key.project, key.project.partition("/")[0]}:
                state = key.state_after(requests(key.label))
                if state is not RehearsedKeyState.EXPIRED:
                    return key
        takes_any = any(key.takes_any_token for key in tokens)
        if project and (takes_any or self._unlisted is UnlistedKeys.ACCEPTED):
            return RehearsedKey(project, project, f"{MADE_UP_TOKEN}{project}", is_enterprise=True)
        return None

    def token(self, text: str, project: str, location: str) -> RehearsedKey:
        """Return what an access token that comes for a project in a location is taken for."""
        if text in self._keys or not text:
            return self.key(text)
        for key in self._keys.values():
            if key.takes_any_token and key.is_of(project, location):
                return key
        unlisted = self.key(text)
        if unlisted.state is not RehearsedKeyState.VALID:
            return unlisted
        return replace(unlisted, project=project or unlisted.project, is_enterprise=True)

    def limits(self, key: RehearsedKey, model: str) -> ProjectLimits:
        """Return the limits of a model in the project of ``key``."""
        limits = self._unlisted_limits
        if key.api_key in self._keys:
            limits = self._projects.get(key.project, _NO_LIMITS)
        for project in ("", key.project):
            own = self._own_limits.get((project, model))
            limits = limits if own is None else own.over(limits)
        return limits


def _project_number(project: str) -> int:
    return int.from_bytes(hashlib.sha256(project.encode()).digest()[:5])
