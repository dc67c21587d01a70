"""Checks a data set before anyone trusts a score on it: leaks between splits, contradictions.

A test image that was trained on, or a near-identical one, makes a score worthless; both the
trainer and the evaluator ask here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from shared.answers import normalise, words
from shared.records import SPLITS, QAPair
from shared.splits import near_identical_groups

SHOWN: Final = 3
"""Examples that a message names."""
_NUMBER_WORDS: Final = (
    "none zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
NUMBER_WORDS: Final = frozenset(_NUMBER_WORDS.split())


@dataclass(frozen=True)
class Leak:
    """One image, or several near-identical ones, in more than one split."""

    images: tuple[str, ...]
    splits: tuple[str, ...]


@dataclass(frozen=True)
class Conflict:
    """A question about an image that has several answers, normalised."""

    filename: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class DataCheck:
    """What was found.

    ``leaks`` are in order of their first image; ``leaked_pairs`` counts the rows outside the
    training split whose image, or a near-identical one, is trained on. ``looked_at`` tells whether
    the pictures themselves were compared, or names alone. ``repeats`` are rows beyond the first
    that say the same. The shares are of all pairs, in [0, 1]: answers that are a number (digits or
    a word), yes or no, or more than one word.
    """

    pairs: int
    images: int
    pairs_by_split: dict[str, int]
    looked_at: bool
    missing_images: int
    leaks: tuple[Leak, ...]
    leaked_pairs: int
    conflicts: tuple[Conflict, ...]
    repeats: int
    numbers: float
    yes_no: float
    longer: float

    def to_json(self) -> dict[str, Any]:
        """Return the counts, with every leak and conflict."""
        return asdict(self)


def check_data(pairs: Sequence[QAPair], images: Path | None) -> DataCheck:
    """Check pairs; where ``images`` is given, near-identical pictures count as one image.

    Raises:
        ValueError: there is no pair.
    """
    if not pairs:
        raise ValueError("there is nothing to check")
    names = sorted({pair.filename for pair in pairs})
    leaks = find_leaks(pairs, images)
    trained = {name for leak in leaks if "train" in leak.splits for name in leak.images}
    answers = [normalise(pair.answer) for pair in pairs]
    said = zip(pairs, answers, strict=True)
    distinct = {(pair.filename, normalise(pair.question), answer) for pair, answer in said}
    missing = [] if images is None else [name for name in names if not (images / name).is_file()]
    return DataCheck(
        pairs=len(pairs),
        images=len(names),
        pairs_by_split=dict(Counter(pair.split or "" for pair in pairs)),
        looked_at=images is not None,
        missing_images=len(missing),
        leaks=tuple(leaks),
        leaked_pairs=sum(pair.filename in trained and pair.split != "train" for pair in pairs),
        conflicts=tuple(_conflicts(pairs)),
        repeats=len(pairs) - len(distinct),
        numbers=sum(_is_number(answer) for answer in answers) / len(pairs),
        yes_no=sum(answer in {"yes", "no"} for answer in answers) / len(pairs),
        longer=sum(len(words(answer)) > 1 for answer in answers) / len(pairs),
    )


def find_leaks(pairs: Sequence[QAPair], images: Path | None) -> list[Leak]:
    """Return the images, near-identical ones together, that stand in more than one split."""
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        if pair.split is not None:
            splits[pair.filename].add(pair.split)
    if len(set().union(*splits.values())) < 2:  # noqa: PLR2004 (one split leaks into no other)
        return []
    groups = [[name] for name in sorted(splits)]
    if images is not None:
        groups = near_identical_groups(images, list(splits))
    leaks = []
    for group in groups:
        found = set().union(*(splits[name] for name in group))
        if len(found) > 1:
            leaks.append(Leak(tuple(group), tuple(split for split in SPLITS if split in found)))
    return leaks


def leak_text(leaks: Sequence[Leak]) -> str:
    """Return how many leaks there are, and the first of them."""
    shown = "; ".join(
        f"{' ~ '.join(leak.images[:SHOWN])} in {' and '.join(leak.splits)}"
        for leak in leaks[:SHOWN]
    )
    what = "image is" if len(leaks) == 1 else "images, near-identical ones counted once, are"
    more = "; ..." if len(leaks) > SHOWN else ""
    return f"{len(leaks):,} {what} in more than one split ({shown}{more})"


def _conflicts(pairs: Sequence[QAPair]) -> list[Conflict]:
    answers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for pair in pairs:
        answers[pair.filename, normalise(pair.question)].add(normalise(pair.answer))
    return [
        Conflict(filename, question, tuple(sorted(said)))
        for (filename, question), said in sorted(answers.items())
        if len(said) > 1
    ]


def _is_number(answer: str) -> bool:
    return answer.isdecimal() or answer in NUMBER_WORDS
