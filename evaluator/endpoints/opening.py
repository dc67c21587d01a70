"""Opens an address: connections, a pool of its keys, and a first look at who is there."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from evaluator.endpoints.address.endpoint import Endpoint
from evaluator.endpoints.asking import Asker
from evaluator.endpoints.journal import Asked
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota_day import day_start
from shared.endpoints.models.known import packaged_models
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import Meter, ProjectUse
from shared.endpoints.protocols.annotator import AskedForm, Connection
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ModelRefused,
    Refusal,
    Unreachable,
    WrongAddress,
)
from shared.endpoints.token_estimates import TokenEstimates
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.durations import MINUTE_S
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)

_LONGEST_LOOK_S: Final = 15.0
"""A server that does not say so soon which models it has is asked without."""


@asynccontextmanager
async def opened_asker(
    endpoint: Endpoint, before: Iterable[Asked], clock: Clock, stop: AsyncStopSignal
) -> AsyncIterator[Asker]:
    """Open connections to an address for the time of the block.

    What ``before`` took of the keys' quotas counts; what other programs take is not known here, but
    a server that tells of it is believed.

    Raises:
        InputError: the address is none, or a package is missing.
    """
    settings = endpoint.settings_of_models
    connection = Connection(
        base_url=endpoint.base_url,
        timeout_s=endpoint.timeout_s,
        connections=endpoint.in_flight,
        forms=dict.fromkeys(endpoint.names, endpoint.form),
        settings=settings,
        further_fields=endpoint.further_fields,
        wants_logprobs=endpoint.form is AskedForm.PLAIN,
    )
    pool = KeyPool(
        endpoint.keys,
        endpoint.models,
        clock=clock,
        stop=stop,
        on_exhausted=OnExhausted.STOP,
        rng=random.Random(),
        use=_used(before, clock.now()),
        records={},
    )
    estimates = TokenEstimates(packaged_models().tile, of_models=settings)
    async with endpoint.service.protocol.connected(connection) as client:
        yield Asker(
            endpoint.address, endpoint.told, client, pool, endpoint.known, estimates, clock, stop
        )


def _used(before: Iterable[Asked], now: float) -> dict[Meter, ProjectUse]:
    """Return what earlier answers took of each project's windows."""
    last_minute: dict[Meter, list[tuple[float, int]]] = defaultdict(list)
    today: dict[Meter, int] = defaultdict(int)
    since = day_start(now)
    for asked in before:
        if asked.project and asked.at >= since:
            meter = Meter(asked.project, asked.model)
            today[meter] += 1
            if asked.at > now - MINUTE_S:
                last_minute[meter].append((asked.at, asked.input_tokens))
    return {
        meter: ProjectUse(tuple(sorted(last_minute[meter])), count)
        for meter, count in today.items()
    }


async def require_models(asker: Asker, endpoint: Endpoint) -> None:
    """Look whether the server has the models, with the first key: that costs no quota.

    What it does not say, requests will.

    Raises:
        InputError: nobody is there, or a model is not.
    """
    for name in endpoint.names:
        try:
            async with asyncio.timeout(_LONGEST_LOOK_S):
                await asker.client.look_up(endpoint.keys[0], name)
        except TimeoutError:
            return
        except Unreachable as refusal:
            raise InputError(
                f"{endpoint.told}: {refusal.reason}; start the server, or mend the address"
            ) from None
        except ModelRefused as refusal:
            raise InputError(_no_such_model(endpoint, name, refusal)) from None
        except InvalidKey as refusal:
            if len(endpoint.keys) == 1:
                raise InputError(_no_such_key(endpoint, endpoint.keys[0], refusal)) from None
        except WrongAddress as refusal:
            if "certificate" in refusal.reason:
                raise InputError(f"{endpoint.told}: {refusal.reason}") from None
        except Refusal as refusal:
            log.info("endpoint_lists_no_models", endpoint=endpoint.address, why=refusal.reason)
            return


def _no_such_model(endpoint: Endpoint, name: str, refusal: Refusal) -> str:
    option = endpoint.option("model" if name == endpoint.model else "adapter")
    return f"{option} {name}: {endpoint.address} does not serve it ({refusal.reason})"


def _no_such_key(endpoint: Endpoint, key: Key, refusal: Refusal) -> str:
    variable = endpoint.service.protocol.keys.variable
    if not key.secret and key.account is None:
        return (
            f"{endpoint.told}: wants a key ({refusal.reason}); give "
            f"{endpoint.option('keys')} FILE or "
            f"set {variable}"
        )
    return (
        f"{endpoint.told}: does not take key {key.label!r} ({refusal.reason}); give "
        f"another by {endpoint.option('keys')} FILE or {variable}"
    )
