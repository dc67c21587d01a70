"""The report of the campaign at work, kept up to date in memory.

Read once from the ledger at the start and counted on from there, so that whoever looks at a run,
however often, costs it nothing. What it says is what the ledger would say.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from curator.forecast.forecast import Forecast, still_true
from curator.ledger import (
    Answerers,
    CampaignReport,
    CanaryDay,
    DeadLetter,
    ItemChange,
    KeyReport,
    ModelReplies,
    OpinionChange,
    OpinionCounts,
    Outcome,
    Progress,
    Result,
    TokenUse,
    WorkState,
)
from curator.ledger.reports.campaigns import DEAD_LETTERS
from curator.ledger.reports.keys import why_none
from curator.ledger.reports.pace import History, RecentRate, SpanCounts
from curator.status.status import Standing
from shared.endpoints.models.known import ModelCatalogue, packaged_models
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import Meter, ModelUse
from shared.records import Listing

_NO_TOKENS: Final = TokenUse()
_NAMES: Final = {outcome: outcome.value for outcome in Outcome}
_ANSWERED: Final = SpanCounts(answered=1)
_LIMITED: Final = SpanCounts(limited=1)
_FAILED: Final = SpanCounts(failed=1)
UNREACHABLE: Final = "unreachable"
"""The kind of failure that no outcome stands for, because nothing was sent; until an answer."""
_OF_KEYS: Final = frozenset({Outcome.RATE_LIMITED, Outcome.INVALID_KEY, Outcome.NOT_SERVED})


class LiveReport:
    """Counts what a run does; ``report`` gives the whole at any moment."""

    def __init__(
        self,
        before: CampaignReport,
        history: History,
        *,
        pool: KeyPool,
        now: float,
        goal: int | None = None,
        known_models: ModelCatalogue | None = None,
    ) -> None:
        """Go on from ``before``; the run ends once ``goal`` items are settled in all."""
        self._known_models = known_models or packaged_models()
        self.history = history
        self.goal = goal
        self.keys_changed = asyncio.Event()
        self.forecast = Forecast(None, "not computed yet")
        self.batches = before.batches
        self._before = before
        self._pool = pool
        self._states = Counter(
            {
                WorkState.PENDING: before.progress.pending,
                WorkState.DONE: before.progress.done,
                WorkState.DEAD: before.progress.dead,
            }
        )
        self._pairs = Counter(before.pairs_by_model)
        self._rejected = Counter(before.rejected)
        self._by_key = _counters({key.fingerprint: key.outcomes for key in before.keys})
        self._outcomes_by_model = _counters(before.outcomes_by_model)
        self._replies = Counter(before.replies)
        self._opinions = before.opinions
        self._canary_days = before.canary_days
        self._tokens = dict(before.tokens_spent)
        self._by_model = {_who(replies): replies for replies in before.replies_by_model}
        self._left_out = {model: [*each] for model, each in before.settings_left_out.items()}
        self._dead = deque(before.dead_letters, maxlen=DEAD_LETTERS)
        self._given_up = Counter(before.given_up)
        self._unfit = Counter(before.unfit)
        self._recent = RecentRate(now)
        self._last_errors: dict[str, str] = {}

    @property
    def campaign_id(self) -> int:
        """The campaign's number in the ledger."""
        return self._before.campaign_id

    @property
    def progress(self) -> Progress:
        """How far the campaign is."""
        states = self._states
        return Progress(states[WorkState.PENDING], states[WorkState.DONE], states[WorkState.DEAD])

    @property
    def remaining(self) -> int:
        """Items that this run is still to settle."""
        progress = self.progress
        if self.goal is None:
            return progress.pending
        return min(progress.pending, max(0, self.goal - progress.done - progress.dead))

    @property
    def last_errors(self) -> Mapping[str, str]:
        """The latest reason of each kind of failure."""
        return self._last_errors

    def enrolled(self, added: int) -> None:
        """Count items that were added to the queue."""
        self._states[WorkState.PENDING] += added

    def chosen(self, opinions: OpinionCounts) -> None:
        """Take over how the pairs chosen for a second opinion stand."""
        self._opinions = opinions

    def canaries_asked(self, days: tuple[CanaryDay, ...]) -> None:
        """Take over what came of the canaries so far."""
        self._canary_days = days

    def begun(self, lease: Lease) -> None:
        """Count a request that is about to be sent."""
        self._count_outcome(lease, Outcome.OPEN, 1)

    def taken_back(self, lease: Lease) -> None:
        """Take back the count of a request that was never sent."""
        self._count_outcome(lease, Outcome.OPEN, -1)

    def unsent(self, lease: Lease, reason: str) -> None:
        """Take back the count of a request that found no connection."""
        self.taken_back(lease)
        self._last_errors[UNREACHABLE] = reason

    def left_out(self, model: str, setting: str) -> None:
        """Heed that a model is not asked for a setting any more."""
        settings = self._left_out.setdefault(model, [])
        if setting not in settings:
            settings.append(setting)

    def finished(self, result: Result, listing: Listing, lease: Lease | None) -> None:
        """Count a result that the ledger has; ``lease`` is ``None`` where nothing was sent."""
        model = ""
        if lease is not None:
            model = lease.model
            self._count_outcome(lease, Outcome.OPEN, -1)
            self._count_outcome(lease, result.outcome, 1)
            self._count_time(result)
        if isinstance(result.change, OpinionChange):
            self._opinions = _counted(self._opinions, result.change)
        if result.tokens != _NO_TOKENS:
            answerers = Answerers(model, result.model_version, result.tier)
            self._tokens[answerers] = self._tokens.get(answerers, _NO_TOKENS) + result.tokens
        self._count_model(model, result)
        if result.facts is not None and isinstance(result.change, ItemChange):
            self._replies[result.facts] += 1
        if result.verdict is not None:
            self._pairs[result.model_version or model] += len(result.verdict.accepted)
            for rejected in result.verdict.rejected:
                self._rejected[rejected.rule.value] += 1
        if isinstance(result.change, ItemChange) and result.change.state is not WorkState.PENDING:
            self._states[WorkState.PENDING] -= 1
            self._states[result.change.state] += 1
            if result.change.state is WorkState.DEAD:
                letter = DeadLetter(listing.listing_id, listing.image.path, result.change.reason)
                self._dead.appendleft(letter)
                self._given_up[result.change.reason] += 1
            elif result.change.state is WorkState.UNFIT:
                self._unfit[result.change.reason] += 1

    def _count_model(self, asked: str, result: Result) -> None:
        if result.attempt_id is None or not result.model_version:
            return
        version, status, latest = result.model_version, result.model_status, result.attempt_id
        who = asked, version, status.stage, status.retires_at or 0.0
        count, before = 1, self._by_model.get(who)
        if before is not None:
            count, latest = before.count + 1, max(before.latest, latest)
        self._by_model[who] = ModelReplies(asked, version, status, count, latest)

    def _count_outcome(self, lease: Lease, outcome: Outcome, amount: int) -> None:
        name = _NAMES[outcome]
        self._by_key[lease.key.fingerprint][name] += amount
        self._outcomes_by_model[lease.model][name] += amount

    def _count_time(self, result: Result) -> None:
        if result.outcome is Outcome.ANSWERED:
            self._last_errors.pop(UNREACHABLE, None)
            if isinstance(result.change, ItemChange):
                self._recent.add(result.finished_at)
            self.history.add(result.finished_at, _ANSWERED)
            return
        self._last_errors[result.outcome.value] = result.detail
        if result.outcome in _OF_KEYS:
            self.keys_changed.set()
        limited = result.outcome is Outcome.RATE_LIMITED
        self.history.add(result.finished_at, _LIMITED if limited else _FAILED)

    def standing(self, now: float) -> Standing:
        """Return all that is told about the campaign at ``now``."""
        report = self.report(now)
        return Standing(
            report,
            still_true(self.forecast, report),
            self.goal,
            self.last_errors,
            self._known_models,
        )

    def report(self, now: float) -> CampaignReport:
        """Return the report of ``now``, as ``Ledger.reports`` would."""
        finished_recently, recent_s = self._recent.counted(now)
        return replace(
            self._before,
            progress=self.progress,
            pairs_by_model={model: count for model, count in self._pairs.items() if count},
            rejected=dict(self._rejected),
            outcomes_by_model={
                model: _counted_ones(outcomes)
                for model, outcomes in self._outcomes_by_model.items()
            },
            replies=dict(self._replies),
            opinions=self._opinions,
            tokens_spent=dict(self._tokens),
            keys=self._keys(now),
            blocked=tuple(
                record for record in self._pool.records().values() if record.blocked_until > now
            ),
            dead_letters=tuple(self._dead),
            given_up=dict(self._given_up.most_common()),
            unfit=dict(self._unfit.most_common()),
            finished_recently=finished_recently,
            recent_s=recent_s,
            canary_days=self._canary_days,
            settings_left_out={**self._left_out},
            replies_by_model=tuple(self._by_model[who] for who in sorted(self._by_model)),
            batches=self.batches,
        )

    def _keys(self, now: float) -> Sequence[KeyReport]:
        uses_by_meter = self._pool.uses(now)
        return tuple(self._key(key, uses_by_meter) for key in self._before.keys)

    def _key(self, key: KeyReport, uses_by_meter: Mapping[Meter, ModelUse]) -> KeyReport:
        uses = tuple(uses_by_meter.get(Meter(key.project, use.model), use) for use in key.uses)
        why = key.removed_because
        if key.fingerprint in self._pool.fingerprints:
            why = self._pool.removed.get(key.fingerprint, why_none(uses))
        return replace(
            key,
            removed_because=why,
            removed_at=self._pool.removed_at.get(key.fingerprint, key.removed_at),
            outcomes=_counted_ones(self._by_key[key.fingerprint]),
            uses=uses,
        )


def _counters(counts: Mapping[str, Mapping[str, int]]) -> defaultdict[str, Counter[str]]:
    return defaultdict(Counter, {name: Counter(each) for name, each in counts.items()})


def _counted_ones(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _counted(counts: OpinionCounts, change: OpinionChange) -> OpinionCounts:
    if change.state is WorkState.PENDING:
        return counts
    waiting = counts.waiting - 1
    if change.state is WorkState.DEAD:
        return replace(counts, waiting=waiting, given_up=counts.given_up + 1)
    if change.agrees:
        return replace(counts, waiting=waiting, agrees=counts.agrees + 1)
    return replace(counts, waiting=waiting, disagrees=counts.disagrees + 1)


def _who(replies: ModelReplies) -> tuple[str, str, str, float]:
    """Return what tells such replies from all others, and their order in the ledger."""
    status = replies.status
    return replies.asked, replies.answered_by, status.stage, status.retires_at or 0.0
