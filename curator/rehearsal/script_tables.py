"""The tables of a rehearsal's script. See ``curator rehearse --help``."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, get_args

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from curator.rehearsal.batches.file_shelf import FileLimits
from curator.rehearsal.batches.mishaps import JobLife, checked_kind
from curator.rehearsal.faults import Fault
from curator.rehearsal.inbound import CHARACTERS_PER_TOKEN
from curator.rehearsal.key_ring import RehearsedKeyState
from curator.rehearsal.words.replies import Tier
from shared.program.settings import Settings

_Limit = Annotated[int | None, Field(ge=0)]
_Tokens = Annotated[int, Field(ge=0)]
_Detail = Literal["low", "medium", "high"]
_Level = Literal["minimal", "low", "medium", "high"]
_Seconds = Annotated[float, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_LIFE: Final = JobLife()
_KEPT: Final = FileLimits()
_Tier = Literal["standard", "flex", "priority", "batch"]


class _LimitsTable(Settings):
    rpm: _Limit = None
    tpm: _Limit = None
    rpd: _Limit = None
    batch_tokens: _Limit = None


class QuotaTable(_LimitsTable):
    """Limits for each model: requests and input tokens a minute, requests a day.

    ``batch_tokens`` are input tokens of all jobs under way, ``batch_jobs`` jobs of any model.
    """

    batch_jobs: _Limit = None
    tier: Tier = Tier.FREE


class ProjectModelTable(_LimitsTable):
    """``[[project.model]]``: limits of one model in the project, before all others."""

    name: str = Field(min_length=1)


class ProjectTable(QuotaTable):
    """``[[project]]``: what Google meters."""

    name: str = Field(min_length=1)
    model: tuple[ProjectModelTable, ...] = ()


class KeyTable(Settings):
    """``[[key]]``: a key, good for ``valid_for`` requests before ``state`` takes hold.

    With ``enterprise``, an access token of Google Cloud; any one will do where none is given. Its
    project may be named with a location, as in ``our-cloud/global``, and is good there alone then.
    """

    api_key: str = Field(default="", repr=False)
    label: str = ""
    project: str = ""
    state: RehearsedKeyState = RehearsedKeyState.VALID
    valid_for: int = Field(default=0, ge=0)
    enterprise: bool = False

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if not self.api_key and not self.enterprise:
            raise ValueError("api_key is missing")
        return self


class ModelTable(_LimitsTable):
    """``[[model]]``: what is told of a model, and whether it is closed, retired or routed.

    From ``retires`` on, or always without it, requests are answered by the model ``answers_as``.
    Without ``json_mode``, ``system_text``, ``takes_thinking`` or ``takes_detail``, a request that
    asks for that is refused. After ``valid_for`` requests the name is unknown. ``rpm``, ``tpm``,
    ``rpd`` and ``batch_tokens`` are its limits in every project, before what the project states.
    ``tiers`` are the service tiers that it has, and whether it takes batches.
    ``changes_at``, ``changes_after``, ``changed_share`` and ``unsteady_share`` are about its
    answers; see ``curator.rehearsal.answers.temper.Temper``.
    The others say how it thinks and counts; see ``curator.rehearsal.model_shelf.Counting``.
    """

    name: str = Field(min_length=1)
    stage: str = ""
    retires: AwareDatetime | None = None
    closed_to: tuple[str, ...] = ()
    answers_as: str = ""
    json_mode: bool = True
    system_text: bool = True
    takes_thinking: bool = True
    takes_detail: bool = True
    valid_for: int | None = Field(default=None, ge=0)
    image_tokens: dict[_Detail, _Tokens] = Field({})
    image_detail: _Detail = "high"
    characters_per_token: float = Field(default=CHARACTERS_PER_TOKEN, gt=0)
    thought_tokens: dict[_Level, _Tokens] = Field({})
    thinking: _Level | None = None
    takes_budget: bool = False
    cached_tokens: _Tokens = 0
    tiers: tuple[_Tier, ...] = get_args(_Tier)
    changes_at: AwareDatetime | None = None
    changes_after: int = Field(default=0, ge=0)
    changed_share: _Share = 0.0
    unsteady_share: _Share = 0.0

    @model_validator(mode="after")
    def _says_how_it_changes(self) -> Self:
        if (self.changes_at or self.changes_after) and not self.changed_share:
            raise ValueError(f"{self.name}: say what changes, with changed_share above 0")
        return self

    @model_validator(mode="after")
    def _counts_what_is_sent(self) -> Self:
        if self.image_tokens and len(self.image_tokens) < len(get_args(_Detail)):
            raise ValueError(f"{self.name}: image_tokens needs {', '.join(get_args(_Detail))}")
        if self.thinking is not None and self.thinking not in self.thought_tokens:
            raise ValueError(f"{self.name}: thought_tokens has no {self.thinking!r}")
        return self


class LatencyTable(Settings):
    """``[latency]``: milliseconds a reply takes, give or take the jitter."""

    mean_ms: _Seconds = 0.0
    jitter_ms: _Seconds = 0.0
    slow_ms: _Seconds = 30_000.0


class FlexTable(Settings):
    """``[flex]``: what becomes of requests for the flex tier.

    A reply takes ``mean_ms``, or as long as any other; shares of the requests are ``shed`` with
    ``shed_status``, or ``downgraded`` to the standard tier.
    """

    mean_ms: _Seconds | None = None
    jitter_ms: _Seconds = 0.0
    shed: _Share = 0.0
    shed_status: Literal[429, 503] = 503
    downgraded: _Share = 0.0

    @model_validator(mode="after")
    def _is_a_whole(self) -> Self:
        if self.shed + self.downgraded > 1:
            raise ValueError("shed and downgraded are more than all requests")
        return self


class DayTable(Settings):
    """``[day]``: when a quota day ends; midnight in Los Angeles unless ``length_s`` is given.

    ``offset_s`` sets the server's calendar forward, ``length_s`` makes days that short.
    """

    offset_s: float = 0.0
    length_s: float | None = Field(default=None, gt=0)


class _Strikes(Settings):
    """When something goes wrong: with a ``rate``, ``every`` n-th time, or ``at`` some."""

    rate: _Share = 0.0
    every: int | None = Field(default=None, ge=1)
    at: tuple[Annotated[int, Field(ge=1)], ...] = ()
    limit: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if (self.rate > 0) + (self.every is not None) + bool(self.at) != 1:
            raise ValueError("give exactly one of rate, every and at")
        return self


class FaultTable(_Strikes):
    """``[[fault]]``: what goes wrong with requests."""

    kind: Fault


class BatchFaultTable(_Strikes):
    """``[[batch.fault]]``: what goes wrong with jobs, their results and their files."""

    kind: Annotated[str, AfterValidator(checked_kind)]


class BatchTable(Settings):
    """``[batch]``: how long jobs take, in seconds, and what goes wrong.

    A job waits ``pending_s`` and runs ``running_s``; after ``expires_s`` it is given up.
    """

    pending_s: _Seconds = _LIFE.pending_s
    running_s: _Seconds = _LIFE.running_s
    expires_s: _Seconds = _LIFE.expires_s
    late_s: _Seconds = _LIFE.late_s
    output_late_s: _Seconds = _LIFE.output_late_s
    cancelling_s: _Seconds = _LIFE.cancelling_s
    fault: tuple[BatchFaultTable, ...] = ()


class FilesTable(Settings):
    """``[files]``: the most bytes of a file and of a project, and how long a file is kept."""

    largest_bytes: int = Field(default=_KEPT.largest_bytes, ge=0)
    project_bytes: int = Field(default=_KEPT.project_bytes, ge=0)
    kept_s: _Seconds = _KEPT.kept_s
