"""The ledger: what was asked, what it cost and what came out, in one SQLite file.

The only SQL of the curator. Public names: ``Ledger`` and its records.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from curator.ledger.database.opening import (
        migrate,
        migrate_unless_busy,
        require_ledger,
        sole_writer,
    )
    from curator.ledger.errors import LedgerFailure
    from curator.ledger.ledger import Ledger
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


_HOMES: Final = (
    "errors",
    "records.requests",
    "records.work",
    "records.batches",
    "records.overview",
    "database.opening",
    "ledger",
)
"""Where the names are; those that take longest to import come last: SQLAlchemy takes 0.3 s."""


def __getattr__(name: str) -> object:
    """Return a public name, imported once it is asked for: ``--help`` has no time for all."""
    if name in __all__:
        for home in _HOMES:
            module = import_module(f"{__name__}.{home}")
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
