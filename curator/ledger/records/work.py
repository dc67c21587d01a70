"""What goes into the ledger and comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from curator.judging.facts import ReplyFacts
from curator.keys.quota import Quota
from curator.pool.records import ProjectRecord, ProjectUse
from shared.records import Listing

if TYPE_CHECKING:
    from curator.judging.rules import Verdict


class WorkState(IntEnum):
    """Where an item of a campaign stands."""

    PENDING = 0
    DONE = 1
    DEAD = 2


class Outcome(StrEnum):
    """What became of one request."""

    OPEN = "open"
    """Sent or about to be; stays so when the process dies, and counts against the quota."""
    ANSWERED = "answered"
    UNUSABLE = "unusable"
    """A reply without one valid pair: blocked, cut off, or nonsense."""
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    INVALID_KEY = "invalid_key"
    NOT_SERVED = "not_served"
    """The project may not use the model, has no quota for it, or no money."""
    BAD_REQUEST = "bad_request"


@dataclass(frozen=True, slots=True)
class Campaign:
    """One way of asking about a catalogue: another prompt is another campaign.

    ``model`` and ``annotator`` are whom its latest run asks; that tells no campaigns apart.
    """

    model: str
    prompt_version: str
    questions: int
    annotator: str = "gemini"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A listing that waits for its questions; ``attempts`` counts what failed so far.

    ``rank`` is its place in the queue.
    """

    item_id: int
    listing: Listing
    attempts: int
    rank: int = 0


@dataclass(frozen=True, slots=True)
class PairItem:
    """A pair that waits for a second opinion; ``attempts`` counts what failed so far."""

    item_id: int
    listing: Listing
    attempts: int
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class KeptReply:
    """What an attempt got, as received, whose protocol it is in, and the model that made it."""

    attempt_id: int
    annotator: str
    model: str
    body: str


@dataclass(frozen=True, slots=True)
class RepliedPair:
    """A pair with the latest reply to its question, and the failures before it."""

    item_id: int
    question: str
    answer: str
    state: WorkState
    attempts: int
    reply: KeptReply


@dataclass(frozen=True, slots=True)
class RepliedItem:
    """An item with what was received about it: ``replies`` are in the order in which they came.

    ``state`` and ``reason`` are the item's present ones, ``maker_id`` the attempt that brought the
    present pairs, 0 where there are none.
    """

    item: WorkItem
    state: WorkState
    reason: str
    replies: tuple[KeptReply, ...]
    maker_id: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that is about to be sent; ``question`` is what a second opinion is asked on."""

    attempt_id: int
    campaign_id: int
    item_id: int
    key_fingerprint: str
    project: str
    model: str
    started_at: float
    reserved_tokens: int
    question: str | None = None
    annotator: str = "gemini"


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Tokens of one request as the server counted them."""

    input: int = 0
    output: int = 0
    thoughts: int = 0

    def __add__(self, other: TokenUse) -> TokenUse:
        return TokenUse(
            self.input + other.input, self.output + other.output, self.thoughts + other.thoughts
        )


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What a result means for its item: the new state, failures so far, and why."""

    campaign_id: int
    item_id: int
    state: WorkState
    attempts: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OpinionChange:
    """What a result means for a pair that waits for a second opinion.

    ``answer`` is the second one, ``agrees`` whether it equals the first once both are normalised;
    both say something only where ``state`` is done.
    """

    campaign_id: int
    item_id: int
    question: str
    state: WorkState
    attempts: int
    reason: str = ""
    answer: str = ""
    agrees: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """All that one request, or the failure to make one, leaves: written together or not at all.

    ``attempt_id`` is ``None`` where no request was made, and then ``outcome`` does not count.
    ``reply`` is the body as received, ``facts`` what is counted of it, ``model_version`` what it
    calls its model, empty where it does not. ``started_at`` is when the request was sent, ``None``
    where that is as its attempt says.
    """

    attempt_id: int | None
    finished_at: float
    outcome: Outcome
    detail: str = ""
    tokens: TokenUse = TokenUse()
    reply: str | None = None
    change: ItemChange | OpinionChange | None = None
    verdict: Verdict | None = None
    facts: ReplyFacts | None = None
    model_version: str = ""
    started_at: float | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """An attempt whose request was not sent after all."""

    attempt_id: int


@dataclass(frozen=True, slots=True)
class ProjectNews:
    """What a refusal, or the end of one, told ``at`` some time about a project and model."""

    record: ProjectRecord
    model: str
    at: float


@dataclass(frozen=True, slots=True)
class KeyRemoval:
    """Why a key left the pool, and when."""

    fingerprint: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is."""

    pending: int
    done: int
    dead: int

    @property
    def total(self) -> int:
        """Return the number of items."""
        return self.pending + self.done + self.dead


@dataclass(frozen=True, slots=True)
class KeyReport:
    """One key's work in a campaign; ``removed_because`` is empty while it serves.

    ``removed_at`` is when it failed for good, ``None`` where it did not.
    ``quota`` and ``project_today`` are its project's: the limits as stated and learned, and the
    requests counted since the quota day began.
    """

    fingerprint: str
    label: str
    project: str
    removed_because: str
    outcomes: Mapping[str, int]
    quota: Quota
    project_today: int
    removed_at: float | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An item that was given up, and why."""

    listing_id: str
    image_path: str
    reason: str


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a catalogue could not be used for one reason: how many, and the first example."""

    reason: str
    count: int
    first: str


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Everything ``curator status`` tells about one campaign.

    ``pairs`` are counted by the model that made them, ``tokens`` by the one that was asked for.
    ``given_up`` counts the dead letters by reason, the most common first;
    ``finished_recently`` counts the items that were answered in the last ``recent_s`` seconds,
    ``left_out`` what of the catalogues did not become items.
    """

    campaign_id: int
    campaign: Campaign
    progress: Progress
    pairs_by_model: Mapping[str, int]
    rejected: Mapping[str, int]
    outcomes: Mapping[str, int]
    replies: Mapping[ReplyFacts, int]
    opinions: OpinionCounts
    tokens_by_model: Mapping[str, TokenUse]
    keys: Sequence[KeyReport]
    blocked: tuple[ProjectRecord, ...]
    dead_letters: tuple[DeadLetter, ...]
    given_up: Mapping[str, int]
    finished_recently: int
    recent_s: float
    left_out: tuple[LeftOut, ...] = ()

    @property
    def pairs(self) -> int:
        """Return the number of pairs."""
        return sum(self.pairs_by_model.values())

    @property
    def tokens(self) -> TokenUse:
        """Return the tokens of all requests."""
        return sum(self.tokens_by_model.values(), TokenUse())


@dataclass(frozen=True, slots=True)
class RecentLoad:
    """Means over the latest answered requests; zeros where there is none.

    ``latency_s`` is from the lease of a key until the reply was read.
    """

    latency_s: float
    input_tokens: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What a forecast starts from: the latest requests, and what is known of each project.

    ``use`` is what the projects have used of their windows, ``records`` what refusals told.
    """

    load: RecentLoad
    use: Mapping[str, ProjectUse]
    records: Mapping[str, ProjectRecord]


@dataclass(frozen=True, slots=True)
class RatedPair:
    """A pair as it came: kept, with its agreement with the listing, or rejected, by a rule."""

    question: str
    answer: str
    difficulty: str = ""
    agreement: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class NewestItem:
    """An image that a reply was got for; ``detail`` says how the reply ended or what was wrong."""

    item_id: int
    listing: Listing
    state: WorkState
    finished_at: float
    key_label: str
    detail: str
    pairs: tuple[RatedPair, ...]
