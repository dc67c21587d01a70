"""Asks which keys may use which models: one look for each, which costs no quota.

What a look cannot tell, because nobody answers, is no key's fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from shared.endpoints.keys.key import Key
from shared.endpoints.models.model_status import NO_STATUS, ModelStatus
from shared.endpoints.pool.rate import PlainRate
from shared.endpoints.protocols.annotator import Annotator
from shared.endpoints.refusals.refusal import InvalidKey, ModelRefused, ProjectRefused, Refusal
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.value_class import value_class

CHECKS_A_MINUTE: Final = 300
CONNECTIONS: Final = 16
LONGEST_CHECK_S: Final = 15.0
"""Longest wait for an answer to a look: it holds up a run's start."""


class Fitness(StrEnum):
    """Whether a key may use a model."""

    USABLE = "usable"
    INVALID_KEY = "invalid key"
    PROJECT_REFUSED = "project refused"
    MODEL_REFUSED = "model refused"
    NOT_KNOWN = "not known"
    """Nobody answered, or nothing that tells."""


@value_class
class KeyCheck:
    """What a service says of a key and a model; ``refusal`` is why the key may not use it."""

    key: Key
    model: str
    status: ModelStatus = NO_STATUS
    refusal: Refusal | None = None

    @property
    def fitness(self) -> Fitness:
        """Whether the key may use the model."""
        match self.refusal:
            case None:
                return Fitness.USABLE
            case InvalidKey():
                return Fitness.INVALID_KEY
            case ModelRefused():
                return Fitness.MODEL_REFUSED
            case ProjectRefused():
                return Fitness.PROJECT_REFUSED
            case _:
                return Fitness.NOT_KNOWN

    @property
    def why(self) -> str:
        """What stands against it, in general and in the service's own words; empty for nothing."""
        if self.refusal is None:
            return ""
        about, reason = self.refusal.about, self.refusal.reason
        return f"{about} ({reason})" if about else reason


async def check_keys(
    annotator: Annotator,
    keys: Sequence[Key],
    models: Sequence[str],
    *,
    rate: PlainRate,
    stop: AsyncStopSignal,
    advance: Callable[[], None],
) -> list[KeyCheck]:
    """Look once for each key at each model, no faster than ``rate``; in order of keys.

    ``advance`` is called after each look.

    Raises:
        StopRequested: the run is to stop.
    """

    async def check(key: Key, model: str) -> KeyCheck:
        await rate.admit(stop)
        try:
            return KeyCheck(key, model, status=await annotator.look_up(key, model))
        except Refusal as refusal:
            return KeyCheck(key, model, refusal=refusal)
        finally:
            advance()

    try:
        async with asyncio.TaskGroup() as group:
            looks = [group.create_task(check(key, model)) for key in keys for model in models]
    except* StopRequested:
        raise StopRequested from None
    return [look.result() for look in looks]
