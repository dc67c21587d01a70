"""What a request leaves in the ledger: its begin, its end, and what it told of keys."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from curator.judging.facts import ReplyFacts
from curator.ledger.records.work import WorkState
from shared.endpoints.keys.key import Key
from shared.endpoints.models.asked_settings import AS_THE_MODEL_CHOOSES, AskedSettings
from shared.endpoints.models.model_status import NO_STATUS, ModelStatus
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.records import ProjectRecord
from shared.endpoints.request import Measure
from shared.value_class import value_class

if TYPE_CHECKING:
    from curator.judging.rules import Verdict
    from shared.endpoints.protocols.annotator import Reply


class Outcome(StrEnum):
    """What became of one request."""

    OPEN = "open"
    """Sent or about to be; stays so when the process dies, and counts against the quota."""
    ANSWERED = "answered"
    UNUSABLE = "unusable"
    """A reply without one valid pair: blocked, cut off, or nonsense."""
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    UNANSWERED = "unanswered"
    """Sent, and no whole answer came: it may have been billed."""
    INVALID_KEY = "invalid_key"
    SHED = "shed"
    """The tier had no room: sent again later, and no failure."""
    NOT_SERVED = "not_served"
    """The project may not use the model, has no quota for it, or no money."""
    BAD_REQUEST = "bad_request"


NO_MEASURE: Final = Measure(0, 0, 0)


@value_class
class Attempt:
    """A request that is about to be sent; ``question`` is the one that is asked again, if any is.

    ``canary_day`` is the quota day on which it is a canary, ``views`` are the items of the further
    pictures that it has. ``measure`` is what its tokens depend
    on, ``settings`` how the model is asked.
    """

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
    measure: Measure = NO_MEASURE
    settings: AskedSettings = AS_THE_MODEL_CHOOSES
    tier: Tier = Tier.STANDARD
    canary_day: str | None = None
    views: tuple[int, ...] = ()


@value_class
class TokenUse:
    """Tokens as the server counted them.

    ``cached`` and ``images`` are parts of ``input``: what the service had kept from before, and
    what the images took; 0 where it did not say.
    """

    input: int = 0
    output: int = 0
    thoughts: int = 0
    cached: int = 0
    images: int = 0

    def __add__(self, other: TokenUse) -> TokenUse:
        return TokenUse(
            self.input + other.input,
            self.output + other.output,
            self.thoughts + other.thoughts,
            self.cached + other.cached,
            self.images + other.images,
        )

    @property
    def total(self) -> int:
        """All that is paid for."""
        return self.input + self.output + self.thoughts


NO_TOKENS: Final = TokenUse()


def tokens_of(reply: Reply) -> TokenUse:
    """Return what a reply took."""
    return TokenUse(
        input=reply.input_tokens,
        output=reply.output_tokens,
        thoughts=reply.thought_tokens,
        cached=reply.cached_tokens,
        images=reply.image_tokens,
    )


@value_class
class ItemChange:
    """What a result means for its item: the new state, failures so far, and why."""

    campaign_id: int
    item_id: int
    state: WorkState
    attempts: int
    reason: str = ""


@value_class
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


@value_class
class CanaryChange:
    """What a result means for a question that a model is asked again on a quota ``day``.

    ``is_equal`` says whether ``answer`` is what the model answered first once both are normalised,
    ``None`` where this is the first one, or none.
    """

    campaign_id: int
    item_id: int
    model: str
    day: str
    question: str
    state: WorkState
    attempts: int
    reason: str = ""
    answer: str = ""
    is_equal: bool | None = None


@value_class
class Result:
    """All that one request, or the failure to make one, leaves: written together or not at all.

    ``attempt_id`` is ``None`` where no request was made, and then ``outcome`` does not count.
    ``reply`` is the body as received, ``facts`` what is counted of it, ``model_version`` what it
    calls its model, empty where it does not, ``model_status`` what it tells of the life of the one
    that was asked. ``started_at`` is when the request was sent, ``None`` where that is as its
    attempt says, and ``tier`` at which it was paid. ``views`` are the items of the further
    pictures of the request, in the order in which pairs name them.
    """

    attempt_id: int | None
    finished_at: float
    outcome: Outcome
    detail: str = ""
    tokens: TokenUse = NO_TOKENS
    reply: str | None = None
    change: ItemChange | OpinionChange | CanaryChange | None = None
    verdict: Verdict | None = None
    facts: ReplyFacts | None = None
    model_version: str = ""
    model_status: ModelStatus = NO_STATUS
    started_at: float | None = None
    tier: Tier = Tier.STANDARD
    views: tuple[int, ...] = ()

    def item_of(self, picture: int) -> int | None:
        """Return the item of a picture of the request by its number; its first where none is it."""
        if self.change is None:
            return None
        items = (self.change.item_id, *self.views)
        named = items[picture - 1] if 1 <= picture <= len(items) else 0
        return named or self.change.item_id


@value_class
class Withdrawal:
    """An attempt whose request was not sent after all."""

    attempt_id: int


@value_class
class ProjectNews:
    """What a refusal, or the end of one, told ``at`` some time about a project and model."""

    record: ProjectRecord
    at: float


@value_class
class FormNews:
    """In which form a model is to be asked through a service, because it refused a stricter one."""

    annotator: str
    model: str
    form: str
    at: float


@value_class
class SettingNews:
    """What a model is asked for no more through a service, such as ``thinking=high``."""

    annotator: str
    model: str
    setting: str
    at: float


@value_class
class KeyRemoval:
    """Why a key left the pool, and when.

    ``is_for_good`` says that a service refused the key itself.
    """

    fingerprint: str
    reason: str
    at: float
    is_for_good: bool = True

    @classmethod
    def of(cls, key: Key, reason: str, at: float) -> KeyRemoval:
        """Return the removal of a key that a service refused.

        That of an account is not for good: its owner may log in again, or be given a role, and no
        line of the keys file changes.
        """
        return cls(key.fingerprint, reason, at, is_for_good=key.account is None)
