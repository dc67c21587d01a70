"""What a run does and ends with when no key can serve, and why none can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from shared.endpoints.refusals.refusal import InvalidKey, ModelRefused, NoQuota, Refusal
from shared.errors import AboVqaError, InputError, StoppedForNow
from shared.program.durations import local_time

_MOST_REASONS: Final = 3
_MOST_LABELS: Final = 3
_MEND: Final = "mend that"
_NEW_LINE: Final = (
    "put another key in its line, or mend that and add --retry-keys (a key that failed for good is "
    "not tried again unasked),"
)


class OnExhausted(StrEnum):
    """What to do when no key can serve before the next quota day."""

    STOP = "stop"
    WAIT = "wait"


class KeysExhausted(StoppedForNow):
    """No key can serve again in this run; ``opens_at`` says when one can, ``why`` why none can."""

    def __init__(self, opens_at: float | None, why: str = "", way_out: str = _MEND) -> None:
        because = f" ({why})" if why else ""
        when = (
            f"come back at {local_time(opens_at)}"
            if opens_at
            else f"no key is left that can serve{because}; {way_out}"
        )
        super().__init__(f"All API keys exhausted; {when} and run the same command again")
        self.opens_at, self.why = opens_at, why


class NoProjectMayUse(InputError):
    """Every key says that its project may use none of the models."""


def no_key_left(left: Mapping[str, Refusal], models: Sequence[str]) -> AboVqaError:
    """Return what a run ends with that no key serves any more.

    ``left`` has the reasons by the label of a key, or that with the model that it may not use.
    """
    refusals = list(left.values())
    if not refusals or not all(isinstance(refusal, ModelRefused) for refusal in refusals):
        failed_for_good = any(isinstance(refusal, InvalidKey) for refusal in refusals)
        return KeysExhausted(None, _reasons(left), _NEW_LINE if failed_for_good else _MEND)
    if all(isinstance(refusal, NoQuota) for refusal in refusals):
        return NoProjectMayUse(
            f"{_projects(refusals)} {refusals[0].reason}, and waiting brings none: "
            "give another --model, or turn billing on"
        )
    which = "this model" if len(models) == 1 else "any of these models"
    return NoProjectMayUse(f"no key may use {which} ({_reasons(left)}); give another --model")


def _projects(refusals: Sequence[Refusal]) -> str:
    return "these projects have" if len(refusals) > 1 else "this project has"


def _reasons(left: Mapping[str, Refusal]) -> str:
    """Return each reason once, with the keys that it took."""
    labels: dict[str, list[str]] = {}
    for label, refusal in left.items():
        labels.setdefault(refusal.reason, []).append(label)
    parts = [f"{_listed(names)}: {reason}" for reason, names in labels.items()]
    more = len(parts) - _MOST_REASONS
    return "; ".join([*parts[:_MOST_REASONS], *([f"and {more} more reasons"] if more > 0 else [])])


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - _MOST_LABELS
    return ", ".join([*labels[:_MOST_LABELS], *([f"{more} more"] if more > 0 else [])])
