"""Checks a data set before anyone trusts a score on it: leaks between splits, contradictions.

A test image that was trained on, another view of its product or a near-identical picture make a
score worthless; both the trainer and the evaluator ask here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from shared.corpus import LeftOut
from shared.dataset.units import members, names_products, units_of
from shared.images.fingerprints import looks_in
from shared.images.likeness import Look
from shared.images.names import is_file_below
from shared.questions.answers import normalise, words
from shared.records import SPLITS, QAPair

_KINDS: Final = {
    "image": ("image", "images"),
    "product": ("product", "products"),
    "look": ("group of near-identical images", "groups of near-identical images"),
}
SPLIT_ANEW: Final = "leave the column `split` out, and `trainer fit` splits it by product"
"""The way out of leaks."""
SHOWN: Final = 3
"""Examples that a message names."""
_NUMBER_WORDS: Final = (
    "none zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
NUMBER_WORDS: Final = frozenset(_NUMBER_WORDS.split())


class Bond(StrEnum):
    """Why images belong together."""

    IMAGE = "image"
    PRODUCT = "product"
    LOOK = "look"


@dataclass(frozen=True)
class Leak:
    """One image, or several that belong together, in more than one split."""

    images: tuple[str, ...]
    splits: tuple[str, ...]
    by: Bond = Bond.IMAGE


@dataclass(frozen=True)
class Conflict:
    """A question about an image that has several answers, normalised."""

    filename: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class DataCheck:
    """What was found.

    ``left_out`` are rows that hold no pair.
    ``leaks`` are those by name, then by product, then by look, each in order of its first image;
    ``leaked_images`` and ``leaked_pairs`` count the images and rows outside the training split
    that stand for something trained on. ``products`` counts products, 0 where no row names one.
    ``looked_at`` tells whether the pictures themselves were compared. ``repeats`` are rows beyond
    the first that say the same. The shares are of all pairs, in [0, 1]: answers that are a number
    (digits or a word), yes or no, or more than one word.
    """

    pairs: int
    left_out: tuple[LeftOut, ...]
    images: int
    products: int
    pairs_by_split: dict[str, int]
    looked_at: bool
    missing_images: int
    leaks: tuple[Leak, ...]
    leaked_images: int
    leaked_pairs: int
    conflicts: tuple[Conflict, ...]
    repeats: int
    numbers: float
    yes_no: float
    longer: float

    def to_json(self) -> dict[str, Any]:
        """Return the counts, with every leak and conflict."""
        return asdict(self)

    def leaks_by(self, bond: Bond) -> int:
        """Return how many leaks are of one kind."""
        return sum(leak.by is bond for leak in self.leaks)


def check_data(
    pairs: Sequence[QAPair], images: Path | None, left_out: Sequence[LeftOut] = ()
) -> DataCheck:
    """Check pairs; where ``images`` is given, their pictures are compared too.

    ``left_out`` are the rows of their file that hold no pair.

    Raises:
        ValueError: there is no pair.
    """
    if not pairs:
        raise ValueError("there is nothing to check")
    names = sorted({pair.filename for pair in pairs})
    leaks = find_leaks(pairs, images)
    leaked = _leaked(pairs, leaks)
    answers = [normalise(pair.answer) for pair in pairs]
    answered = zip(pairs, answers, strict=True)
    distinct = {(pair.filename, normalise(pair.question), answer) for pair, answer in answered}
    missing = [] if images is None else [name for name in names if not is_file_below(images, name)]
    return DataCheck(
        pairs=len(pairs),
        left_out=tuple(left_out),
        images=len(names),
        products=len(members(units_of(pairs))) if names_products(pairs) else 0,
        pairs_by_split=dict(Counter(pair.split or "" for pair in pairs)),
        looked_at=images is not None,
        missing_images=len(missing),
        leaks=tuple(leaks),
        leaked_images=len({pair.filename for pair in leaked}),
        leaked_pairs=len(leaked),
        conflicts=tuple(_conflicts(pairs)),
        repeats=len(pairs) - len(distinct),
        numbers=sum(_is_number(answer) for answer in answers) / len(pairs),
        yes_no=sum(answer in {"yes", "no"} for answer in answers) / len(pairs),
        longer=sum(len(words(answer)) > 1 for answer in answers) / len(pairs),
    )


def find_leaks(pairs: Sequence[QAPair], images: Path | None) -> list[Leak]:
    """Return what stands in more than one split: images, products, and near-identical pictures.

    The pictures are compared where ``images``, their folder, is given.
    """
    names = {pair.filename for pair in pairs if pair.split is not None}
    if len({pair.split for pair in pairs} - {None}) < 2:  # noqa: PLR2004 (it leaks into no other)
        return []
    return leaks_among(pairs, {} if images is None else looks_in(images, names))


def leaks_among(pairs: Sequence[QAPair], looks: Mapping[str, Look]) -> list[Leak]:
    """Return the same, the images' looks being known."""
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        if pair.split is not None:
            splits[pair.filename].add(pair.split)
    placed = [pair for pair in pairs if pair.split is not None]
    # An image that is in two splits itself is told once.
    once = {name: held_in for name, held_in in splits.items() if len(held_in) == 1}
    alike = units_of((), {name: look for name, look in looks.items() if name in once})
    return [
        *_across(splits, {name: name for name in splits}, Bond.IMAGE),
        *_across(once, units_of(placed), Bond.PRODUCT),
        *_across({name: once[name] for name in alike}, alike, Bond.LOOK),
    ]


def _across(splits: Mapping[str, set[str]], units: Mapping[str, str], by: Bond) -> list[Leak]:
    leaks = []
    for group in members({name: units[name] for name in splits}):
        held_in = set().union(*(splits[name] for name in group))
        if len(held_in) > 1:
            leaks.append(Leak(tuple(group), tuple(s for s in SPLITS if s in held_in), by))
    return leaks


def leak_text(leaks: Sequence[Leak]) -> str:
    """Return how many leaks of each kind there are, and the first of them."""
    kinds = ", ".join(
        f"{count:,} {_KINDS[bond][count > 1]}"
        for bond in Bond
        if (count := sum(leak.by is bond for leak in leaks))
    )
    shown = "; ".join(
        f"{' ~ '.join(leak.images[:SHOWN])} in {' and '.join(leak.splits)}"
        for leak in leaks[:SHOWN]
    )
    verb = "is" if len(leaks) == 1 else "are"
    more = "; ..." if len(leaks) > SHOWN else ""
    return f"{kinds} {verb} in more than one split ({shown}{more})"


def _leaked(pairs: Sequence[QAPair], leaks: Sequence[Leak]) -> list[QAPair]:
    """Return the rows outside the training split about what is trained on."""
    trained = {name for leak in leaks if "train" in leak.splits for name in leak.images}
    return [pair for pair in pairs if pair.filename in trained and pair.split != "train"]


def _conflicts(pairs: Sequence[QAPair]) -> list[Conflict]:
    answers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for pair in pairs:
        answers[pair.filename, normalise(pair.question)].add(normalise(pair.answer))
    return [
        Conflict(filename, question, tuple(sorted(given)))
        for (filename, question), given in sorted(answers.items())
        if len(given) > 1
    ]


def _is_number(answer: str) -> bool:
    return answer.isdecimal() or answer in NUMBER_WORDS
