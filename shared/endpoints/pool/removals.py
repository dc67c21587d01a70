"""Keys that failed for good in a run before: they stay out until their line changes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from shared.endpoints.keys.key import Key
from shared.endpoints.pool.records import RemovedKey
from shared.endpoints.refusals.refusal import Refusal
from shared.errors import InputError
from shared.program.durations import local_time
from shared.program.reporting.event_log import EventLog

_NUMBERED: Final = re.compile(r"key-\d+")
"""A label that only says at which place a key stood."""
_WAY_OUT: Final = "put another key in its line, or try it again with --retry-keys"
_WAY_OUT_OF_ALL: Final = "put others in their lines, or try them again with --retry-keys"

log = EventLog(__name__)


def removal_line(key: Key, refusal: Refusal) -> str:
    """Return what is told when a key fails for good, in the one form that is promised."""
    return f"Key {key.label} failed ({refusal.reason}); removing from pool."


def keys_to_use(keys: Sequence[Key], removed: Mapping[str, RemovedKey]) -> list[Key]:
    """Return the keys whose lines have changed since they were ``removed``, and all others.

    Raises:
        InputError: none is left.
    """
    left = [key for key in keys if key not in still_removed(keys, removed)]
    if left:
        return left
    out = "; ".join(_told(key, removed[key.fingerprint]) for key in keys)
    raise InputError(f"no key is left: {out}; {_WAY_OUT_OF_ALL}")


def still_removed(keys: Sequence[Key], removed: Mapping[str, RemovedKey]) -> list[Key]:
    """Return the keys that were ``removed``, by fingerprint, and stand there as they did then."""
    return [
        key
        for key in keys
        if (removal := removed.get(key.fingerprint)) is not None and _is_line_of(key, removal)
    ]


def tell_removed(keys: Sequence[Key], removed: Mapping[str, RemovedKey]) -> None:
    """Log a line for each key that stays out."""
    for key in still_removed(keys, removed):
        removal = removed[key.fingerprint]
        log.warning(
            "key_stays_out",
            key=key.label,
            removed_on=local_time(removal.at),
            reason=removal.reason,
            way_out=_WAY_OUT,
        )


def _told(key: Key, removed: RemovedKey) -> str:
    return f"Key {key.label} was removed on {local_time(removed.at)} ({removed.reason})"


def _is_line_of(key: Key, removed: RemovedKey) -> bool:
    numbered = _NUMBERED.fullmatch(key.label) and _NUMBERED.fullmatch(removed.label)
    same_label = bool(numbered) or key.label == removed.label
    return same_label and (key.project, key.quota) == (removed.project, removed.quota)
