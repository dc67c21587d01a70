"""What a ledger remembers of keys, projects and limits, as far as a plan goes by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace

from curator.ledger.reports.keys import removed_keys
from curator.ledger.reports.projects import project_records
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import LIMITS
from shared.endpoints.pool.records import Meter, ProjectRecord
from shared.errors import InputError
from shared.value_class import value_class


@value_class
class Remembered:
    """Limits that services named, and what they do not serve.

    ``records`` have no cool-downs, which are over when a plan begins. ``failed`` are why keys
    failed for good, by fingerprint.
    """

    records: Mapping[Meter, ProjectRecord] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def closed(self) -> Collection[Meter]:
        """The models that projects may not use."""
        return frozenset(meter for meter, record in self.records.items() if record.refused_because)

    def serving_keys(self, keys: Sequence[Key], models: Sequence[AskedModel]) -> list[Key]:
        """Return the keys that may ask one of ``models``.

        Raises:
            InputError: there is none.
        """
        closed = self.closed
        serving = [
            key
            for key in keys
            if key.fingerprint not in self.failed
            and any(Meter(key.project, model.name) not in closed for model in models)
        ]
        if keys and not serving:
            raise InputError(
                f"--ledger: none of these keys may ask {_listed(models)} ({self._why(keys)}); give "
                "another --model, other keys, or plan without --ledger where that has changed"
            )
        return serving

    def served_models(
        self, keys: Sequence[Key], models: Sequence[AskedModel]
    ) -> tuple[AskedModel, ...]:
        """Return those of ``models`` that some project of ``keys`` may use."""
        closed = self.closed
        return tuple(
            model
            for model in models
            if not keys or any(Meter(key.project, model.name) not in closed for key in keys)
        )

    def told(self, keys: Sequence[Key], models: Sequence[AskedModel]) -> list[str]:
        """Return in words what of it a plan for ``keys`` and ``models`` heeds, a line each."""
        lines = [
            f"{key.label} is left out: it failed for good ({self.failed[key.fingerprint]})."
            for key in keys
            if key.fingerprint in self.failed
        ]
        projects = dict.fromkeys(key.project for key in keys)
        for meter in (Meter(project, model.name) for model in models for project in projects):
            record = self.records.get(meter)
            if record is None:
                continue
            if record.refused_because:
                lines.append(
                    f"{meter.project} may not use {meter.model} ({record.refused_because})."
                )
            elif record.learned:
                limits = ", ".join(
                    f"{name} {record.learned[name].value:,}"
                    for name in LIMITS
                    if name in record.learned
                )
                lines.append(f"{meter.project} has {limits} for {meter.model}, says the service.")
        return lines

    def _why(self, keys: Sequence[Key]) -> str:
        projects = {key.project for key in keys}
        reasons = [self.failed[key.fingerprint] for key in keys if key.fingerprint in self.failed]
        reasons += [
            record.refused_because
            for record in self.records.values()
            if record.refused_because and record.project in projects
        ]
        return "; ".join(dict.fromkeys(reasons))


def remembered(
    connection: sqlite3.Connection, models: Sequence[AskedModel], now: float
) -> Remembered:
    """Return what a ledger remembers of ``models`` at ``now``: limits that are still believed."""
    records = project_records(connection, [model.name for model in models])
    lasting = {
        meter: replace(
            record,
            blocked_until=0.0,
            probe_at=None,
            learned={
                name: limit
                for name, limit in record.learned.items()
                if limit.holds(limit.stated, now)
            },
        )
        for meter, record in records.items()
    }
    failed = {fingerprint: key.reason for fingerprint, key in removed_keys(connection).items()}
    return Remembered(lasting, failed)


def _listed(models: Sequence[AskedModel]) -> str:
    return ", ".join(model.name for model in models)
