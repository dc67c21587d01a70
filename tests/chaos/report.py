"""What a seed tells: what was tried, and what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.chaos.campaigns.scene import Scene


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
        tried = _listed(self.tried)
        figures = ", ".join(f"{count} {what}" for what, count in self.figures.items())
        verdict = f"LOST: {'; '.join(self.lost)}" if self.lost else "nothing lost"
        return f"seed {self.seed}, {self.what}: {figures}; {tried}: {verdict}"


def totals(told: Iterable[tuple[str, Told]], wanted: Mapping[str, int]) -> Iterator[str]:
    """Return what each kind tried and lost, in a line, and how many seeds there were.

    ``wanted`` is how many of each kind are to be played; where there were fewer, that is said.
    """
    of_kinds: dict[str, list[Told]] = {kind: [] for kind in wanted}
    for kind, one in told:
        of_kinds[kind].append(one)
    for kind, seeds in of_kinds.items():
        tried: Counter[str] = Counter()
        for one in seeds:
            tried.update(one.tried)
        goal = f" of {wanted[kind]}" if len(seeds) < wanted[kind] else ""
        yield f"{kind}: {len(seeds)}{goal} played; {_listed(tried)}; {_lost(seeds)} lost something"
    everything = [one for seeds in of_kinds.values() for one in seeds]
    yield f"{len(everything)} played; {_lost(everything)} lost something"


def _lost(seeds: Iterable[Told]) -> int:
    return sum(bool(one.lost) for one in seeds)


def _listed(tried: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{count} x {what}" for what, count in sorted(tried.items())) or "nothing tried"
    )
