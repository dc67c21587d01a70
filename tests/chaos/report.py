"""What a seed tells: what was tried, and what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.chaos.scene import Scene


@dataclass(frozen=True)
class Told:
    """The outcome of a seed; ``lost`` is what did not hold, empty where all did."""

    seed: int
    what: str
    lost: Sequence[str]
    tried: Mapping[str, int] = field(default_factory=Counter)
    figures: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, scene: Scene, what: str, lost: Sequence[str]) -> Self:
        """Return what a campaign tells."""
        stats = scene.service.server.stats()
        figures = {
            "listings": scene.listings,
            "requests": stats["requests"],
            "repeats": stats["images"]["repeats"],
        }
        return cls(scene.seed, f"curator {what}", list(lost), scene.tried, figures)

    def line(self) -> str:
        """Return it in one line."""
        tried = ", ".join(f"{count} x {what}" for what, count in sorted(self.tried.items()))
        figures = ", ".join(f"{count} {what}" for what, count in self.figures.items())
        verdict = f"LOST: {'; '.join(self.lost)}" if self.lost else "nothing lost"
        return f"seed {self.seed}, {self.what}: {figures}; {tried}: {verdict}"
