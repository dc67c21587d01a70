"""The ledger: what was asked, what it cost and what came out, in one SQLite file.

The only SQL of the curator. Public names: ``Ledger`` and its records.
"""

from curator.ledger.ledger import Ledger
from curator.ledger.opening import LedgerBusy, LedgerFailure, migrate, require_ledger, sole_writer
from curator.ledger.records import (
    Attempt,
    Campaign,
    CampaignReport,
    DeadLetter,
    ItemChange,
    KeyRemoval,
    KeyReport,
    NewestItem,
    Outcome,
    Progress,
    ProjectNews,
    ProjectRecord,
    ProjectUse,
    RatedPair,
    RecentLoad,
    RepliedItem,
    Result,
    TokenUse,
    WorkItem,
    WorkState,
)

__all__ = [
    "Attempt",
    "Campaign",
    "CampaignReport",
    "DeadLetter",
    "ItemChange",
    "KeyRemoval",
    "KeyReport",
    "Ledger",
    "LedgerBusy",
    "LedgerFailure",
    "NewestItem",
    "Outcome",
    "Progress",
    "ProjectNews",
    "ProjectRecord",
    "ProjectUse",
    "RatedPair",
    "RecentLoad",
    "RepliedItem",
    "Result",
    "TokenUse",
    "WorkItem",
    "WorkState",
    "migrate",
    "require_ledger",
    "sole_writer",
]
