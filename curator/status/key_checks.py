"""What ``curator keys`` tells: each key and model, one JSON object or a table; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curator.annotators.key_checks import Fitness, KeyCheck
from curator.status.words import retirement_words
from shared.endpoints.keys.quota import LIMITS, Quota, corrected
from shared.endpoints.models.known import FreeLimits, ModelCatalogue
from shared.endpoints.models.model_status import Retirement, retirement
from shared.endpoints.pool.records import Meter, ProjectRecord
from shared.program.durations import local_time
from shared.value_class import value_class

_STYLES: Final = {Fitness.USABLE: "green", Fitness.NOT_KNOWN: "yellow"}


@value_class
class Background:
    """What is known without asking: of models, and what a ledger remembers of projects."""

    models: ModelCatalogue
    records: Mapping[Meter, ProjectRecord]

    def limits(self, check: KeyCheck, now: float) -> Quota:
        """Return the limits of a key's project for a model, as stated and learned."""
        record = self.records.get(Meter(check.key.project, check.model))
        stated = check.key.quota
        return corrected(stated, record.learned, now) if record else stated

    def free(self, check: KeyCheck) -> FreeLimits:
        """Return what a project without billing may send to a model: at Google Cloud, nothing."""
        if check.key.account is not None:
            return FreeLimits()
        return self.models.known(check.model).free

    def ends(self, checks: Sequence[KeyCheck]) -> dict[str, Retirement]:
        """Return when models end, where anybody says; a key that may not use one is not told."""
        told: dict[str, float | None] = {}
        for check in checks:
            told[check.model] = check.status.retires_at or told.get(check.model)
        ends = {model: retirement(self.models.known(model), at) for model, at in told.items()}
        return {model: end for model, end in ends.items() if end}


def checks_object(checks: Sequence[KeyCheck], background: Background, now: float) -> dict[str, Any]:
    """Return what was found as plain values; times are seconds since the epoch, UTC."""
    counts, ends = Counter(check.fitness for check in checks), background.ends(checks)
    return {
        "now": now,
        "counts": {fitness.value: counts[fitness] for fitness in Fitness},
        "keys": [
            {
                **_check_object(check, ends.get(check.model)),
                "limits": asdict(background.limits(check, now)),
                "free_limits": asdict(background.free(check)),
            }
            for check in checks
        ],
    }


def _check_object(check: KeyCheck, end: Retirement | None) -> dict[str, Any]:
    return {
        "label": check.key.label,
        "fingerprint": check.key.fingerprint,
        "kind": check.key.kind.value,
        "project": check.key.project,
        "location": check.key.account.location if check.key.account else "",
        "model": check.model,
        "state": check.fitness.value,
        "why": check.why,
        "stage": check.status.stage,
        "retires_at": end.at if end else None,
        "retirement_said_by": end.said_by if end else "",
        "followed_by": end.followed_by if end else "",
    }


def checks_view(checks: Sequence[KeyCheck], background: Background, now: float) -> RenderableType:
    """Return the same for a terminal: a table, and below it what there is to heed."""
    ends = background.ends(checks)
    table = Table(box=None, pad_edge=False)
    for name in ("key", "kind", "project", "model", "state", "retires", "limits"):
        table.add_column(name, no_wrap=name in {"key", "model"})
    for check in checks:
        end = ends.get(check.model)
        table.add_row(
            Text(check.key.label),
            check.key.kind.value,
            Text(check.key.project),
            Text(check.model),
            Text(check.fitness.value, _STYLES.get(check.fitness, "red")),
            local_time(end.at) if end else "",
            Text(_limits_words(background.limits(check, now), background.free(check))),
        )
    ended = (retirement_words(model, end, now) for model, end in ends.items())
    return Group(table, *(Text(line) for line in (*_reasons(checks), *ended)))


def _limits_words(limits: Quota, free: FreeLimits) -> str:
    if limits != Quota():
        return _listed(limits)
    return f"free: {_listed(free)}" if free != FreeLimits() else "not known"


def _listed(limits: Quota | FreeLimits) -> str:
    values = {name: getattr(limits, name) for name in LIMITS}
    return ", ".join(f"{name} {value:,}" for name, value in values.items() if value is not None)


def _reasons(checks: Sequence[KeyCheck]) -> Iterator[str]:
    """Yield each reason why keys may not use a model, with those keys."""
    labels: dict[tuple[str, str], dict[str, None]] = {}
    for check in checks:
        if check.why:
            is_of_model = check.fitness is not Fitness.INVALID_KEY
            state = f"{check.fitness.value}{f' for {check.model}' if is_of_model else ''}"
            labels.setdefault((state, check.why), {})[check.key.label] = None
    for (state, why), names in labels.items():
        yield f"{', '.join(names)}: {state}: {why}"
