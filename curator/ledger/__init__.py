"""The ledger: what was asked, what it cost and what came out, in one SQLite file.

The only SQL of the curator. Public names: ``Ledger`` and its records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curator.ledger.database.opening import (
    migrate,
    migrate_unless_busy,
    require_ledger,
    sole_writer,
)
from curator.ledger.errors import LedgerFailure
from curator.ledger.records.batches import BatchCounts, BatchJob, BatchRequest, HeldRequest
from curator.ledger.records.overview import (
    Answerers,
    CampaignReport,
    CanaryDay,
    DeadLetter,
    KeyReport,
    LeftOut,
    Memory,
    ModelReplies,
    NewestItem,
    OpinionCounts,
    Progress,
    RatedPair,
    RecentLoad,
)
from curator.ledger.records.requests import (
    Attempt,
    CanaryChange,
    FormNews,
    ItemChange,
    KeyRemoval,
    OpinionChange,
    Outcome,
    ProjectNews,
    Result,
    SettingNews,
    TokenUse,
    tokens_of,
)
from curator.ledger.records.work import (
    Campaign,
    CanaryItem,
    ItemLook,
    KeptReply,
    PairItem,
    RepliedItem,
    RepliedPair,
    View,
    WorkItem,
    WorkState,
)

if TYPE_CHECKING:
    from curator.ledger.ledger import Ledger

__all__ = [
    "Answerers",
    "Attempt",
    "BatchCounts",
    "BatchJob",
    "BatchRequest",
    "Campaign",
    "CampaignReport",
    "CanaryChange",
    "CanaryDay",
    "CanaryItem",
    "DeadLetter",
    "FormNews",
    "HeldRequest",
    "ItemChange",
    "ItemLook",
    "KeptReply",
    "KeyRemoval",
    "KeyReport",
    "Ledger",
    "LedgerFailure",
    "LeftOut",
    "Memory",
    "ModelReplies",
    "NewestItem",
    "OpinionChange",
    "OpinionCounts",
    "Outcome",
    "PairItem",
    "Progress",
    "ProjectNews",
    "RatedPair",
    "RecentLoad",
    "RepliedItem",
    "RepliedPair",
    "Result",
    "SettingNews",
    "TokenUse",
    "View",
    "WorkItem",
    "WorkState",
    "migrate",
    "migrate_unless_busy",
    "require_ledger",
    "sole_writer",
    "tokens_of",
]


def __getattr__(name: str) -> object:
    # SQLAlchemy takes a third of a second to import; `curator status` needs the records alone.
    if name == "Ledger":
        from curator.ledger.ledger import Ledger  # noqa: PLC0415

        return Ledger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
