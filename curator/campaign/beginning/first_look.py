"""What a run does before the first request of a ledger, or to a model: it looks who may ask it.

A look costs no quota. It may find that a key is bad for good, or that the service does not have a
model for a project. What it cannot tell, because nobody answers, the requests themselves will: a
service that is down now keeps no run from waiting for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from curator.annotators.key_checks import (
    CHECKS_A_MINUTE,
    CONNECTIONS,
    LONGEST_CHECK_S,
    Fitness,
    KeyCheck,
    check_keys,
)
from curator.campaign.beginning.inputs import RunOptions, RunPlan
from curator.ledger import KeyRemoval, Ledger, ProjectNews
from shared.endpoints.keys.key import Key
from shared.endpoints.pool.exhaustion import no_key_left
from shared.endpoints.pool.rate import PlainRate
from shared.endpoints.pool.records import Meter, ProjectRecord
from shared.endpoints.pool.removals import removal_line
from shared.endpoints.protocols.annotator import Connection
from shared.endpoints.refusals.refusal import InvalidKey, ModelRefused, Refusal
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress

log = EventLog(__name__)


async def looked_at(
    options: RunOptions, plan: RunPlan, ledger: Ledger, stop: AsyncStopSignal, clock: Clock
) -> RunPlan:
    """Return ``plan`` without what a look finds no good, with when its models end.

    Models that the ledger has asked before are not looked at.

    Raises:
        KeysExhausted: no key is left.
        NoProjectMayUse: none may ask any of the models.
        StopRequested: the run is to stop.
    """
    known = await ledger.asked_models()
    models = [model.name for model in plan.models if model.name not in known]
    if not models:
        return plan
    checks = await _checks(options, plan, models, stop)
    bad = {
        check.key.fingerprint: check.refusal
        for check in checks
        if isinstance(check.refusal, InvalidKey)
    }
    for key in plan.serving:
        if refusal := bad.get(key.fingerprint):
            log.warning(removal_line(key, refusal))
            await ledger.remember(KeyRemoval.of(key, refusal.reason, clock.now()))
    _tell_others(checks)
    closed = await _closed(options, plan, checks, ledger, clock)
    names = [model.name for model in plan.models]
    good = [key for key in plan.serving if key.fingerprint not in bad]
    serving = [key for key in good if any(Meter(key.project, name) not in closed for name in names)]
    if not serving:
        raise no_key_left(_reasons(plan, bad, closed), names)
    for key in good:
        if key not in serving:
            _tell_left_out(key, closed[Meter(key.project, names[0])])
    return replace(plan, serving=serving, closed=frozenset(closed), told_ends=_told_ends(checks))


def _tell_left_out(key: Key, refusal: Refusal) -> None:
    log.warning(removal_line(key, refusal))


async def _closed(
    options: RunOptions, plan: RunPlan, checks: Sequence[KeyCheck], ledger: Ledger, clock: Clock
) -> dict[Meter, Refusal]:
    """Return which models the service does not have for which projects, and write that down."""
    if not options.annotator.protocol.look_is_final:
        return {}
    of_meter: dict[Meter, list[Refusal | None]] = {}
    for check in checks:
        of_meter.setdefault(Meter(check.key.project, check.model), []).append(check.refusal)
    closed: dict[Meter, Refusal] = {}
    for meter, refusals in of_meter.items():
        # A key that is bad says nothing of the model.
        told = [refusal for refusal in refusals if not isinstance(refusal, InvalidKey)]
        if told and all(isinstance(refusal, ModelRefused) for refusal in told):
            closed[meter] = next(refusal for refusal in told if refusal is not None)
    for meter, refusal in closed.items():
        record = ProjectRecord(*meter, refused_because=refusal.reason)
        await ledger.remember(ProjectNews(record, clock.now()))
    if len(plan.models) > 1:
        _tell_closed(closed, of_meter)
    return closed


def _tell_closed(closed: Mapping[Meter, Refusal], looked_at: Collection[Meter]) -> None:
    """Log which models are not asked: once where that holds for all projects, else for each."""
    open_somewhere = {meter.model for meter in looked_at if meter not in closed}
    for meter, refusal in closed.items():
        if meter.model in open_somewhere:
            log.warning(
                "project_may_not_use_model",
                project=meter.project,
                model=meter.model,
                reason=refusal.reason,
            )
    nowhere = {meter.model: refusal for meter, refusal in closed.items()}
    for model, refusal in nowhere.items():
        if model not in open_somewhere:
            log.warning("no_key_may_use_model", model=model, reason=refusal.reason)


def _reasons(
    plan: RunPlan, bad: Mapping[str, Refusal], closed: Mapping[Meter, Refusal]
) -> dict[str, Refusal]:
    """Return why keys cannot serve, by their labels, and the models where there are several."""
    left: dict[str, Refusal] = {}
    for key in plan.serving:
        if key.fingerprint in bad:
            left[key.label] = bad[key.fingerprint]
            continue
        for model in plan.models:
            which = f"{key.label} for {model.name}" if len(plan.models) > 1 else key.label
            left[which] = closed[Meter(key.project, model.name)]
    return left


async def _checks(
    options: RunOptions, plan: RunPlan, models: Sequence[str], stop: AsyncStopSignal
) -> list[KeyCheck]:
    a_minute = min(CHECKS_A_MINUTE, options.requests_per_minute or CHECKS_A_MINUTE)
    timeout_s = min(options.timeout_s, LONGEST_CHECK_S)
    connection = Connection(options.base_url, timeout_s, CONNECTIONS, mask=plan.mask)
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
