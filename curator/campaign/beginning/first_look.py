"""What a run does before the first request of a ledger: it looks which keys are any good.

A look costs no quota. It may find that a key is bad for good. What it cannot tell, because nobody
answers, the requests themselves will: a service that is down now keeps no run from waiting for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from curator.annotators.annotator import Connection
from curator.annotators.key_checks import (
    CHECKS_A_MINUTE,
    CONNECTIONS,
    LONGEST_CHECK_S,
    Fitness,
    KeyCheck,
    check_keys,
)
from curator.campaign.beginning.inputs import RunOptions, RunPlan
from curator.ledger import KeyRemoval, Ledger
from curator.pool.exhaustion import no_key_left
from curator.pool.pool import removal_line
from curator.pool.rate import PlainRate
from curator.refusals.refusal import InvalidKey
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress

log = EventLog(__name__)


async def without_bad_keys(
    options: RunOptions, plan: RunPlan, ledger: Ledger, stop: AsyncStopSignal, clock: Clock
) -> RunPlan:
    """Return ``plan`` without the keys that a look finds bad for good, with when its models end.

    Raises:
        KeysExhausted: no key is left.
        StopRequested: the run is to stop.
    """
    checks = await _checks(options, plan, stop)
    bad = {
        check.key.fingerprint: check.refusal
        for check in checks
        if isinstance(check.refusal, InvalidKey)
    }
    for key in plan.serving:
        if refusal := bad.get(key.fingerprint):
            log.warning(removal_line(key, refusal))
            await ledger.remember(KeyRemoval(key.fingerprint, refusal.reason, clock.now()))
    _tell_others(checks)
    serving = [key for key in plan.serving if key.fingerprint not in bad]
    if not serving:
        left = {key.label: bad[key.fingerprint] for key in plan.serving}
        raise no_key_left(left, [model.name for model in plan.models])
    return replace(plan, serving=serving, told_ends=_told_ends(checks))


async def _checks(options: RunOptions, plan: RunPlan, stop: AsyncStopSignal) -> list[KeyCheck]:
    a_minute = min(CHECKS_A_MINUTE, options.requests_per_minute or CHECKS_A_MINUTE)
    timeout_s = min(options.timeout_s, LONGEST_CHECK_S)
    connection = Connection(options.base_url, timeout_s, CONNECTIONS)
    models = [model.name for model in plan.models]
    with report_progress("checking keys", len(plan.serving) * len(models)) as progress:
        async with options.annotator.protocol.connected(connection) as annotator:
            return await check_keys(
                annotator,
                plan.serving,
                models,
                rate=PlainRate(a_minute),
                stop=stop,
                advance=progress.advance,
            )


def _tell_others(checks: Sequence[KeyCheck]) -> None:
    """Log what else the looks found: the run's own requests decide what follows from that."""
    counts = Counter(check.fitness for check in checks)
    log.info("keys_checked", **{fitness.name.lower(): n for fitness, n in counts.items()})
    reasons = {check.why: check for check in checks if check.fitness is Fitness.NOT_KNOWN}
    for why in reasons:
        log.info("key_not_checked", reason=why)


def _told_ends(checks: Sequence[KeyCheck]) -> Mapping[str, float]:
    ends = {check.model: check.status.retires_at for check in checks if check.status.retires_at}
    return {model: at for model, at in ends.items() if at is not None}
