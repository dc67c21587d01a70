"""What a rehearsal saw: the figures behind ``/rehearsal/stats``, by key label, never by secret."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from curator.rehearsal.answers.replying import Ruling
from curator.rehearsal.inbound import Inquiry
from curator.rehearsal.key_ring import RehearsedKey


@dataclass(slots=True)
class _KeyTally:
    project: str
    requests: int = 0
    jobs_asked_for: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    declared_dead: bool = False
    requests_after_dead: int = 0


@dataclass(slots=True)
class _ProjectTally:
    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    closed_until: dict[str, float] = field(default_factory=dict)
    requests_after_day_limit: int = 0


CREATE_BATCH: Final = "create_batch"
"""The call that makes a job."""


class RehearsalTally:
    """Counts requests as they arrive and outcomes as they are sent."""

    def __init__(self, started_at: float) -> None:
        """Begin at ``started_at``, seconds since the epoch."""
        self._started_at = started_at
        self._outcomes: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._keys: dict[str, _KeyTally] = {}
        self._projects: dict[str, _ProjectTally] = {}
        self._prompt_tokens = 0
        self._output_tokens = 0
        self._answered_requests: Counter[bytes] = Counter()
        self._answered_images: Counter[bytes] = Counter()
        self._ambiguous = 0
        self._look_ups: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._tiers: dict[str, Counter[str]] = {}

    def arrived(self, label: str, project: str, model: str, now: float) -> int:
        """Count a request that just came in; return how many its key had sent before."""
        key = self._keys.setdefault(label, _KeyTally(project))
        owner = self._projects.setdefault(project, _ProjectTally())
        key.requests_after_dead += key.declared_dead
        owner.requests_after_day_limit += now < owner.closed_until.get(model, now)
        owner.requests += 1
        key.requests += 1
        return key.requests + key.jobs_asked_for - 1

    def requests_of(self, label: str) -> int:
        """Return how many requests a key has sent."""
        key = self._keys.get(label)
        return key.requests if key else 0

    def looked_up(self, label: str) -> int:
        """Count a look at a model, which is no request; return the requests of its key so far."""
        self._look_ups[label] += 1
        return self.requests_of(label)

    def called(self, label: str, project: str, method: str) -> int:
        """Count a call that is no request; return the requests and jobs of its key so far."""
        self._calls[method] += 1
        key = self._keys.setdefault(label, _KeyTally(project))
        key.requests_after_dead += key.declared_dead
        earlier = key.requests + key.jobs_asked_for
        key.jobs_asked_for += method == CREATE_BATCH
        return earlier

    def told_dead(self, label: str) -> None:
        """Note that the owner of a key was told that it will never work."""
        self._keys[label].declared_dead = True

    def answered_in_job(self, ruling: Ruling, comes: bool) -> None:
        """Count an answer that a job got, which comes as it should or does not."""
        self._count_tokens(ruling)
        if comes and ruling.answers is not None:
            self._ambiguous += ruling.ambiguous
            self._count_answer(ruling.answers)

    def sent(self, key: RehearsedKey, model: str, ruling: Ruling, *, status: int) -> None:
        """Count a reply that goes out; status 0 stands for a dropped connection."""
        self._count(key, ruling.outcome, status)
        if ruling.ends_key:
            self._keys[key.label].declared_dead = True
        if ruling.day_over_until is not None:
            self._projects[key.project].closed_until[model] = ruling.day_over_until
        self._tiers.setdefault(ruling.asked_tier, Counter())[ruling.outcome] += 1
        self._ambiguous += ruling.ambiguous
        self._count_tokens(ruling)
        if ruling.answers is not None:
            self._count_answer(ruling.answers)

    def client_gone(self, key: RehearsedKey) -> None:
        """Count a reply that nobody waited for."""
        self._count(key, "client_gone", 0)

    def _count(self, key: RehearsedKey, outcome: str, status: int) -> None:
        self._outcomes[outcome] += 1
        self._statuses[status] += 1
        self._keys[key.label].outcomes[outcome] += 1
        self._projects[key.project].outcomes[outcome] += 1

    def _count_tokens(self, ruling: Ruling) -> None:
        usage = ruling.reply.body.get("usageMetadata", {})
        self._prompt_tokens += usage.get("promptTokenCount", 0)
        self._output_tokens += usage.get("candidatesTokenCount", 0)

    def _count_answer(self, inquiry: Inquiry) -> None:
        self._answered_requests[inquiry.digest[:8]] += 1
        if inquiry.single_question:
            # Many questions about one image are no repeats; the same question again is.
            return
        for image in inquiry.images:
            self._answered_images[hashlib.sha256(image).digest()[:8]] += 1

    def report(self, now: float) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "uptime_s": now - self._started_at,
            "requests": sum(key.requests for key in self._keys.values()),
            "replies": self._outcomes.total(),
            "look_ups": dict(sorted(self._look_ups.items())),
            "calls": dict(sorted(self._calls.items())),
            "outcomes": dict(sorted(self._outcomes.items())),
            "tiers": {tier: dict(sorted(n.items())) for tier, n in sorted(self._tiers.items())},
            "statuses": {str(status): n for status, n in sorted(self._statuses.items())},
            "tokens": {"prompt": self._prompt_tokens, "output": self._output_tokens},
            "images": {
                "answered": len(self._answered_images),
                "repeats": _repeats(self._answered_images),
                "request_repeats": _repeats(self._answered_requests),
                "ambiguous": self._ambiguous,
            },
            "requests_after_dead_key": sum(key.requests_after_dead for key in self._keys.values()),
            "requests_after_day_limit": sum(
                project.requests_after_day_limit for project in self._projects.values()
            ),
            "keys": {label: _key_report(key) for label, key in sorted(self._keys.items())},
            "projects": {
                name: _project_report(project) for name, project in sorted(self._projects.items())
            },
        }


def _repeats(counted: Counter[bytes]) -> int:
    return counted.total() - len(counted)


def _key_report(key: _KeyTally) -> dict[str, Any]:
    return {
        "project": key.project,
        "requests": key.requests,
        "jobs_asked_for": key.jobs_asked_for,
        "outcomes": dict(sorted(key.outcomes.items())),
        "requests_after_dead": key.requests_after_dead,
    }


def _project_report(project: _ProjectTally) -> dict[str, Any]:
    return {
        "requests": project.requests,
        "outcomes": dict(sorted(project.outcomes.items())),
        "requests_after_day_limit": project.requests_after_day_limit,
    }
