"""``curator keys``: which keys may use which models, asked at no cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.annotators.key_checks import CHECKS_A_MINUTE, LONGEST_CHECK_S
from curator.commands.options import (
    AsJson,
    Endpoint,
    KeysFile,
    ModelsPath,
    ServiceName,
)
from shared.endpoints.models.known import packaged_models
from shared.endpoints.pool.records import Meter, ProjectRecord
from shared.endpoints.protocols.registry import Service
from shared.endpoints.refusals.refusal import WrongAddress
from shared.errors import AboVqaError, InputError
from shared.program.command_line.next_step import tell_next

if TYPE_CHECKING:
    from curator.annotators.key_checks import KeyCheck
    from shared.endpoints.keys.key import Key
    from shared.endpoints.pool.rate import PlainRate
    from shared.endpoints.protocols.annotator import Connection, Protocol

ModelsToCheck = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="Model to check; give it several times for several.",
        show_default=f"{packaged_models().default} for gemini",
    ),
]
LearnedFrom = Annotated[
    Path | None, typer.Option("--ledger", help="Ledger whose learned limits are to be shown.")
]
ChecksPerMinute = Annotated[
    int, typer.Option("--requests-per-minute", min=1, help="Most checks a minute.")
]
CheckTimeout = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Longest wait for an answer, in seconds.")
]


class UnusableKeys(AboVqaError):
    """A key may not use a model, or nobody could tell."""


def keys(
    *,
    keys: KeysFile = None,
    service: ServiceName = Service.GEMINI,
    model: ModelsToCheck = None,
    models: ModelsPath = None,
    endpoint: Endpoint = None,
    ledger: LearnedFrom = None,
    requests_per_minute: ChecksPerMinute = CHECKS_A_MINUTE,
    timeout_s: CheckTimeout = LONGEST_CHECK_S,
    as_json: AsJson = False,
) -> None:
    """Check which keys may use which models.

    No quota is used. Ends with 1 where a key cannot be used.
    """
    import asyncio

    from rich.console import Console

    from curator.annotators.key_checks import CONNECTIONS
    from curator.annotators.models_to_ask import models_to_ask, names_not_listed
    from curator.campaign.beginning.as_given import catalogue_of
    from curator.status.key_checks import Background, checks_object, checks_view
    from shared.endpoints.keys.keyfile import read_key_file
    from shared.endpoints.pool.rate import PlainRate
    from shared.endpoints.protocols.annotator import (
        Connection,
        check_base_url,
        require_stated_address,
    )
    from shared.program.clock import SystemClock

    protocol = service.protocol
    check_base_url(endpoint)
    require_stated_address(protocol.address_variable, endpoint)
    catalogue = catalogue_of(models)
    protocol.require()
    key_file = read_key_file(keys, source=protocol.keys)
    asked = [each.name for each in models_to_ask(service, model or (), key_file.models, catalogue)]
    if not asked:
        raise InputError(f"--service {service.value}: say which with --model NAME")
    protocol.require_credentials(key_file.keys)
    background = Background(catalogue, {} if ledger is None else _remembered(ledger, asked))
    connection = Connection(endpoint, timeout_s, CONNECTIONS)
    checks = asyncio.run(
        _check(protocol, connection, key_file.keys, asked, PlainRate(requests_per_minute))
    )
    _require_address(checks)
    now = SystemClock().now()
    if as_json:
        json.dump(checks_object(checks, background, now), sys.stdout, indent=2)
        print()
    else:
        Console().print(checks_view(checks, background, now))
    described = [catalogue.known(name) for name in asked]
    _require_usable(checks, names_not_listed(service, described, catalogue))
    if not as_json:
        of_file = [] if keys is None else ["--keys", str(keys)]
        tell_next("curator", "plan", "--catalog", "CATALOG", *of_file)


def _remembered(ledger: Path, models: Sequence[str]) -> Mapping[Meter, ProjectRecord]:
    from curator.ledger import migrate_unless_busy, require_ledger
    from curator.ledger.database.plain import reading
    from curator.ledger.reports.projects import project_records

    require_ledger(ledger)
    migrate_unless_busy(ledger)
    with reading(ledger) as connection:
        return project_records(connection, models)


async def _check(
    protocol: Protocol,
    connection: Connection,
    pool: Sequence[Key],
    models: Sequence[str],
    rate: PlainRate,
) -> list[KeyCheck]:
    from curator.annotators.key_checks import check_keys
    from shared.program.async_stopping import AsyncStopSignal
    from shared.program.reporting.progress import report_progress

    # Nothing is begun that would have to be finished: a signal ends it as it ends any program.
    stop = AsyncStopSignal()
    with report_progress("checking keys", len(pool) * len(models)) as progress:
        async with protocol.connected(connection) as annotator:
            return await check_keys(
                annotator, pool, models, rate=rate, stop=stop, advance=progress.advance
            )


def _require_address(checks: Sequence[KeyCheck]) -> None:
    refusals = [check.refusal for check in checks]
    if all(isinstance(refusal, WrongAddress) for refusal in refusals):
        raise InputError(f"{refusals[0]}; look at --endpoint")


def _require_usable(checks: Sequence[KeyCheck], nearest: Mapping[str, Sequence[str]]) -> None:
    from curator.annotators.key_checks import Fitness

    refused = [check.model for check in checks if check.fitness is Fitness.MODEL_REFUSED]
    near = dict.fromkeys(name for model in refused for name in nearest.get(model, ()))
    told = f"; the nearest known: {', '.join(near)}" if near else ""
    unusable = {check.key.label for check in checks if check.fitness is not Fitness.USABLE}
    if unusable:
        count = len({check.key.label for check in checks})
        raise UnusableKeys(
            f"{len(unusable)} of {count} keys cannot be used as asked, or not surely{told}"
        )
