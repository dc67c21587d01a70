"""Tells, once each, that another model or tier answers than was asked, and what is shut down."""

from __future__ import annotations

from curator.campaign.beginning.inputs import RunPlan
from curator.ledger import CampaignReport
from shared.endpoints.models.known import ModelCatalogue
from shared.endpoints.models.model_status import is_another_model, retirement
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import Reply
from shared.program.clock import Clock
from shared.program.durations import duration, local_time
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


class ModelWatch:
    """What one run has told of its models so far."""

    def __init__(self, known: ModelCatalogue, clock: Clock) -> None:
        """Go by ``known`` for what no reply tells."""
        self._known = known
        self._clock = clock
        self._others: set[tuple[str, str]] = set()
        self._ends: dict[str, float] = {}
        self._elsewhere: set[str] = set()

    def begin(self, plan: RunPlan, report: CampaignReport) -> None:
        """Tell when the models that the run is going to ask are shut down."""
        for model in plan.models:
            told_at = plan.told_ends.get(model.name) or report.told_end(model.name)
            self._tell_end(model.name, told_at)

    def heard(self, asked: str, tier: Tier, reply: Reply) -> None:
        """Heed what a reply says of who made it, and of the life of the model that was asked."""
        if reply.model != asked and is_another_model(asked, reply.model):
            self._tell_other(asked, reply.model)
        if reply.status.retires_at is not None:
            self._tell_end(asked, reply.status.retires_at)
        if reply.tier not in {None, tier} and asked not in self._elsewhere:
            self._elsewhere.add(asked)
            log.warning(
                "another_tier_answers",
                model=asked,
                asked=tier,
                answered_at=reply.tier,
                paid_at=reply.tier,
                counted_in="curator status",
            )

    def _tell_other(self, asked: str, answered_by: str) -> None:
        if (asked, answered_by) not in self._others:
            self._others.add((asked, answered_by))
            log.warning(
                "another_model_answers",
                asked=asked,
                answered_by=answered_by,
                counted_in="curator status",
            )

    def _tell_end(self, model: str, told_at: float | None) -> None:
        end = retirement(self._known.known(model), told_at)
        if end is None or self._ends.get(model) == end.at:
            return
        self._ends[model] = end.at
        followed_by = {"followed_by": end.followed_by} if end.followed_by else {}
        fields = {"model": model, "at": local_time(end.at), "said_by": end.said_by, **followed_by}
        left_s = end.at - self._clock.now()
        if left_s > 0:
            log.warning("model_retires", **fields, left=duration(left_s))
        else:
            log.warning("model_has_retired", **fields)
