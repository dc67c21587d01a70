"""What is told of a campaign as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from curator.judging.facts import ReplyFacts
from curator.ledger.records.batches import NO_BATCHES, BatchCounts
from curator.ledger.records.requests import TokenUse
from curator.ledger.records.work import Campaign, WorkState
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.model_status import ModelStatus, is_another_model
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.records import Meter, ModelUse, ProjectRecord, ProjectUse
from shared.records import Listing
from shared.value_class import value_class


@value_class
class Progress:
    """How far a campaign is."""

    pending: int
    done: int
    dead: int

    @property
    def total(self) -> int:
        """Return the number of items."""
        return self.pending + self.done + self.dead

    def sentence(self) -> str:
        """Return how far it is in a line."""
        return (
            f"{self.done} of {self.total} images done, {self.dead} given up, {self.pending} waiting"
        )

    def _repr_html_(self) -> str:
        # For notebooks alone; it is a tenth of what a program's start takes.
        from shared.program.reporting.notebook import html_of  # noqa: PLC0415

        return html_of(self.sentence())


@value_class
class KeyReport:
    """One key's work in a campaign; ``removed_because`` is empty while it serves.

    ``removed_at`` is when it failed for good, ``None`` where it did not.
    ``stated`` are the limits in its line, ``uses`` what its project has of each model.
    """

    fingerprint: str
    label: str
    project: str
    removed_because: str
    outcomes: Mapping[str, int]
    stated: Quota
    uses: Sequence[ModelUse]
    removed_at: float | None = None

    @property
    def _served(self) -> Sequence[ModelUse]:
        return [use for use in self.uses if not use.refused_because] or self.uses

    @property
    def today(self) -> int:
        """Return its project's requests since the quota day began.

        Where a limit is known, for the models that are served there, as the limit is; else for all.
        """
        return sum(use.today for use in (self.uses if self.a_day is None else self._served))

    @property
    def a_day(self) -> int | None:
        """Return the requests a day that its project may send; ``None`` where no limit is known."""
        limits = [use.quota.rpd for use in self._served]
        stated = [limit for limit in limits if limit is not None]
        return sum(stated) if limits and len(stated) == len(limits) else None


@value_class
class DeadLetter:
    """An item that was given up, and why."""

    listing_id: str
    image_path: str
    reason: str


@value_class
class OpinionCounts:
    """The pairs chosen for a second opinion: how many got one that agrees, and so on."""

    waiting: int = 0
    agrees: int = 0
    disagrees: int = 0
    given_up: int = 0

    @property
    def chosen(self) -> int:
        """Return the number of pairs."""
        return self.waiting + self.agrees + self.disagrees + self.given_up


@value_class
class CanaryDay:
    """What came of the questions that a model was asked again on a quota ``day`` (YYYY-MM-DD).

    ``model`` tells in which way it was asked, too, if not as it chooses by itself.
    ``answered`` of those ``asked`` have an answer. ``equal`` has those that can be compared with
    what the model answered first, by the image's number, and whether they are the same.
    ``answered_by`` is what the latest reply calls its model, empty where it does not.
    """

    model: str
    day: str
    asked: int
    answered: int
    equal: Mapping[int, bool]
    answered_by: str = ""

    def is_of(self, model: str) -> bool:
        """Return whether ``model`` was asked, in whatever way."""
        return self.model == model or self.model.startswith(f"{model}, ")


@value_class
class ModelReplies:
    """Replies that were asked of one model, by what they say of who made them.

    ``status`` is what they tell of the life of the model that was ``asked``, ``latest`` the number
    of the latest request among them.
    """

    asked: str
    answered_by: str
    status: ModelStatus
    count: int
    latest: int

    @property
    def are_by_another(self) -> bool:
        """Whether another model answered than the one that was asked."""
        return is_another_model(self.asked, self.answered_by)


class Answerers(NamedTuple):
    """By what replies are paid for: the model that was asked, the one that answered, and the tier.

    ``answered_by`` is what the reply calls its model, empty where it does not.
    """

    asked: str
    answered_by: str
    tier: Tier = Tier.STANDARD


@value_class
class LeftOut:
    """What of a catalogue could not be used for one reason: how many, and the first example."""

    reason: str
    count: int
    first: str


@value_class
class CampaignReport:
    """Everything ``curator status`` tells about one campaign.

    ``pairs`` are counted by the model that made them, ``outcomes`` of requests by the one that was
    asked for, ``tokens_spent`` by that one, the one that answered, and the tier.
    ``given_up`` counts the dead letters by reason, the most common first;
    ``finished_recently`` counts the items that were answered in the last ``recent_s`` seconds,
    ``left_out`` what of the catalogues did not become items, ``alike`` the images in whose place
    near-identical ones are asked, ``unfit`` those left out for what was wanted of pictures, by
    reason, ``along`` those that go along with another one. ``replies_by_model`` counts the
    replies that name their model, ``canary_days`` what came of questions that were asked again, by
    model and day, the earliest first; ``settings_left_out`` are those that models refused.
    """

    campaign_id: int
    campaign: Campaign
    progress: Progress
    pairs_by_model: Mapping[str, int]
    rejected: Mapping[str, int]
    outcomes_by_model: Mapping[str, Mapping[str, int]]
    replies: Mapping[ReplyFacts, int]
    opinions: OpinionCounts
    tokens_spent: Mapping[Answerers, TokenUse]
    keys: Sequence[KeyReport]
    blocked: tuple[ProjectRecord, ...]
    dead_letters: tuple[DeadLetter, ...]
    given_up: Mapping[str, int]
    finished_recently: int
    recent_s: float
    left_out: tuple[LeftOut, ...] = ()
    alike: int = 0
    unfit: Mapping[str, int] = field(default_factory=dict)
    along: int = 0
    replies_by_model: tuple[ModelReplies, ...] = ()
    settings_left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    canary_days: tuple[CanaryDay, ...] = ()
    batches: BatchCounts = NO_BATCHES

    @property
    def canary_requests(self) -> int:
        """Return how many questions were asked again, day by day."""
        return sum(day.asked for day in self.canary_days)

    @property
    def pairs(self) -> int:
        """Return the number of pairs."""
        return sum(self.pairs_by_model.values())

    @property
    def replies_of_others(self) -> int:
        """Return the number of replies that another model made than the one that was asked."""
        return sum(replies.count for replies in self.replies_by_model if replies.are_by_another)

    def told_end(self, model: str) -> float | None:
        """Return when ``model`` retires by its latest reply, seconds since the epoch."""
        replies = [replies for replies in self.replies_by_model if replies.asked == model]
        latest = max(replies, key=lambda each: each.latest, default=None)
        return latest.status.retires_at if latest else None

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Return the requests by outcome."""
        total: Counter[str] = Counter()
        for outcomes in self.outcomes_by_model.values():
            total.update(outcomes)
        return dict(total)

    def blocked_record(self, project: str, model: str) -> ProjectRecord | None:
        """Return the record of a project that rests for a model; ``None`` where it does not."""
        return next((record for record in self.blocked if record.meter == (project, model)), None)

    @property
    def tokens(self) -> TokenUse:
        """Return the tokens of all requests."""
        return sum(self.tokens_spent.values(), TokenUse())

    @property
    def tokens_by_model(self) -> dict[str, TokenUse]:
        """Return the tokens by the model that was asked for."""
        by_model: dict[str, TokenUse] = {}
        for model, tokens in self.tokens_spent.items():
            by_model[model.asked] = by_model.get(model.asked, TokenUse()) + tokens
        return by_model


@value_class
class RecentLoad:
    """Means over the latest answered requests; zeros where there is none.

    ``latency_s`` is from the lease of a key until the reply was read, ``input_tokens`` by model.
    """

    latency_s: float
    input_tokens: Mapping[str, float]


@value_class
class Memory:
    """What a forecast starts from: the latest requests, and what is known of each project.

    ``use`` is what the projects have used of their windows, ``records`` what refusals told.
    """

    load: RecentLoad
    use: Mapping[Meter, ProjectUse]
    records: Mapping[Meter, ProjectRecord]


@value_class
class RatedPair:
    """A pair as it came: kept, with its agreement with the listing, or rejected, by a rule."""

    question: str
    answer: str
    difficulty: str = ""
    agreement: str = ""
    rule: str = ""


@value_class
class NewestItem:
    """An image that a reply was got for; ``detail`` says how the reply ended or what was wrong."""

    item_id: int
    listing: Listing
    state: WorkState
    finished_at: float
    key_label: str
    detail: str
    pairs: tuple[RatedPair, ...]
