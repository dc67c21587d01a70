"""What changed from one run to another, of all that is known about how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_NO_CAUSES: Final = frozenset({"command", "name", "seed", "questions_with_boxes"})
"""Facts that say the same in other words, or follow from the data."""

_SHOWN: Final = 5
"""Facts that a table names; the page and `--json` have all."""


@dataclass(frozen=True)
class Change:
    """A fact that two runs do not share; "" where one does not have it."""

    fact: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """Return it in words."""
        return f"{self.fact}: {self.before or 'none'} → {self.after or 'none'}"


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """Return what differs between the facts of two runs, in their order."""
    names = [name for name in dict.fromkeys([*before, *after]) if name not in _NO_CAUSES]
    return [
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    ]


def summary(found: Sequence[Change]) -> str:
    """Return the names of what changed, those that begin alike once; of many, the first."""
    names = list(dict.fromkeys(change.fact.partition(".")[0] for change in found))
    more = len(names) - _SHOWN
    return ", ".join([*names[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
