"""Which pairs are exported after people looked at some: as they say, and in which proportions."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from curator.ledger.records.review import SeenPair
from curator.pairs.balance import Balance
from curator.review.report import label_error, review_report
from curator.review.sample import fair_sample
from curator.review.verdicts import Outcome, Verdict, verdict_on
from shared.questions.answers import exact_match, normalise
from shared.questions.types import question_type
from shared.records import WHOLE_SAMPLE, WITHOUT_REJECTED, Split
from shared.records.pair_rows import PairRow
from shared.value_class import value_class

LEAST_SHARE: Final = 0.01
"""The share of pairs from which on a type or an answer counts as one that is to be balanced."""


@value_class
class Choice:
    """Which pairs are wanted.

    ``reviewed`` are those alone that people accepted or corrected. ``min_agreement`` is the least
    share of listing and second opinion that agree, for pairs that nobody judged. ``keeps_rejected``
    leaves pairs without a right answer in the validation and test splits, marked.
    """

    reviewed: bool = False
    min_agreement: float | None = None
    balance: Balance | None = None
    keeps_rejected: bool = False


@dataclass
class ReviewedPairs:
    """The pairs that people judged, and what an export makes of them.

    ``left_out`` counts, of the latest pass, what was left out and why, ``kept_from_training`` what
    would have come into the training split without a right answer.
    """

    judged: Sequence[SeenPair]
    choice: Choice
    left_out: Counter[str] = field(default_factory=Counter)
    corrected: int = 0
    kept_from_training: int = 0
    _passed: set[tuple[str, str, str]] = field(default_factory=set)
    _largest: Mapping[tuple[str, ...], float] | None = None

    def __post_init__(self) -> None:
        verdicts = ((pair, verdict_on(pair)) for pair in self.judged)
        self._verdicts: dict[tuple[str, str, str], Verdict] = {
            _key(pair): verdict for pair, verdict in verdicts if verdict is not None
        }
        self._sample = fair_sample(self.judged)
        self._drawn = {_key(pair) for pair in self._sample}
        self._images = {image for image, _, _ in self._verdicts.keys() | self._drawn}
        outcomes = {self._verdicts[drawn].outcome for drawn in self._drawn}
        are_all_right = outcomes <= {Outcome.ACCEPTED, Outcome.CORRECTED}
        self._mark_without_rejected = WHOLE_SAMPLE if are_all_right else WITHOUT_REJECTED
        self._sample_mark = (
            WHOLE_SAMPLE if self.choice.keeps_rejected else self._mark_without_rejected
        )

    def chosen(self, pairs: Callable[[], Iterable[PairRow]]) -> Iterator[PairRow]:
        """Yield the pairs of an export; ``pairs`` yields those of the campaign, each time anew."""
        if self.choice.balance is not None and self._largest is None:
            self._largest = _limits(self._as_judged(pairs()), self.choice.balance)
        yield from self._balanced(self._as_judged(pairs()))

    def _as_judged(self, pairs: Iterable[PairRow]) -> Iterator[PairRow]:
        self.left_out.clear()
        self._passed.clear()
        self.corrected = self.kept_from_training = 0
        takes_unjudged = not self.choice.reviewed and self.choice.min_agreement is None
        for pair in pairs:
            if takes_unjudged and pair.filename not in self._images:
                yield pair
                continue
            key = (pair.filename, pair.question, pair.answer)
            # What would not be here without a verdict is no fair sample of what is.
            is_drawn = key in self._drawn and not self._is_below(pair)
            if is_drawn:
                self._passed.add(key)
            judged = self._judged(pair, self._verdicts.get(key), is_drawn=is_drawn)
            if isinstance(judged, str):
                self.left_out[judged] += 1
            else:
                self.corrected += judged.label_review == Outcome.CORRECTED
                yield judged

    def _judged(self, pair: PairRow, verdict: Verdict | None, *, is_drawn: bool) -> PairRow | str:
        """Return the pair as people leave it, or why it is left out."""
        if verdict is None:
            if self.choice.reviewed:
                return "that nobody judged, or only skipped"
            return "with less agreement than --min-agreement" if self._is_below(pair) else pair
        sample = self._sample_mark if is_drawn else ""
        judged = pair._replace(label_review=verdict.outcome.value, label_sample=sample or None)
        if not judged.has_right_answer:
            if self.choice.keeps_rejected and not self.choice.reviewed:
                return judged
            return f"that people {_SAID[verdict.outcome]}"
        return judged if verdict.outcome is Outcome.ACCEPTED else _corrected(judged, verdict)

    def placed(self, pair: PairRow, unit_id: str, split: Split) -> PairRow | None:
        """Return an exported pair in its split; ``None`` for one that may not be there.

        Nobody is to learn from an answer that people found wrong.
        """
        placed = pair._replace(unit_id=unit_id, split=split)
        if split != "train":
            return placed
        if not pair.has_right_answer:
            self.kept_from_training += 1
            return None
        mark = pair.label_sample and self._mark_without_rejected
        return placed._replace(label_sample=mark)

    def _is_below(self, pair: PairRow) -> bool:
        least, agreement = self.choice.min_agreement, _agreement(pair)
        return least is not None and agreement is not None and agreement < least

    def _balanced(self, pairs: Iterator[PairRow]) -> Iterator[PairRow]:
        balance, limits = self.choice.balance, self._largest
        return pairs if balance is None or limits is None else self._cut(pairs, balance, limits)

    def _cut(
        self, pairs: Iterable[PairRow], balance: Balance, limits: Mapping[tuple[str, ...], float]
    ) -> Iterator[PairRow]:
        for pair in pairs:
            if not pair.has_right_answer or _draw(pair) <= limits.get(
                _class_of(pair, balance), 1.0
            ):
                yield pair
            else:
                self.left_out[f"of a frequent {balance.value}, by --balance"] += 1

    @property
    def is_told(self) -> bool:
        """Whether there is anything to tell of it: people judged, or pairs are chosen."""
        return bool(self.judged) or self.choice != Choice()

    def lines(self) -> list[str]:
        """Return what was left out, a line for each reason."""
        reasons = dict(sorted(self.left_out.items()))
        if self.kept_from_training:
            reasons["without a right answer, which would be trained on"] = self.kept_from_training
        return [f"{count:,} pairs {why}" for why, count in reasons.items()]

    def described(self) -> dict[str, Any]:
        """Return what the manifest tells, once the pairs have passed."""
        report = review_report(self.judged)
        sample = [pair for pair in self._sample if _key(pair) in self._passed]
        return {
            "judged": report["judged"],
            "outcomes": report["outcomes"],
            "reviewers": len(report["reviewers"]),
            "label_error": label_error(sample),
            "skipped_in_sample": report["sample"]["skipped"],
            "right_by_type": review_report(sample)["sample"]["right_by"]["type"],
            "agreement_of_people": report["agreement"]["people"]["krippendorffs_alpha"],
            "corrected": self.corrected,
            "left_out": dict(self.left_out),
            "only_reviewed": self.choice.reviewed,
            "min_agreement": self.choice.min_agreement,
            "balanced_by": self.choice.balance and self.choice.balance.value,
            "keeps_rejected": self.choice.keeps_rejected,
        }


def _key(pair: SeenPair) -> tuple[str, str, str]:
    return pair.image_path, pair.question, pair.answer


_SAID: Final = {Outcome.REJECTED: "rejected", Outcome.DISPUTED: "do not agree about"}


def _corrected(pair: PairRow, verdict: Verdict) -> PairRow:
    opinion = pair.second_opinion
    if opinion:
        agrees = exact_match(pair.second_answer, verdict.correction)
        opinion = "agrees" if agrees else "disagrees"
    return pair._replace(
        answer=verdict.correction,
        label_before_review=pair.answer,
        # What the listing said was about the other answer.
        agreement="",
        second_opinion=opinion,
    )


def _agreement(pair: PairRow) -> float | None:
    voices = (pair.agreement, pair.second_opinion)
    said = [voice for voice in voices if voice in {"agrees", "disagrees"}]
    return said.count("agrees") / len(said) if said else None


def _class_of(pair: PairRow, balance: Balance) -> tuple[str, ...]:
    kind = question_type(pair.question)
    return (kind,) if balance is Balance.TYPE else (kind, normalise(pair.answer))


def _draw(pair: PairRow) -> float:
    """Return a number in [0, 1) that the pair's id alone decides."""
    digest = hashlib.blake2b(f"balance\0{pair.id}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def _limits(pairs: Iterable[PairRow], balance: Balance) -> dict[tuple[str, ...], float]:
    """Return for each class the largest draw that it keeps.

    Frequent classes are cut to the size of the rarest of them; a class is frequent that has at
    least ``LEAST_SHARE`` of all pairs, or, of answers, of the pairs of its question type.
    """
    draws: defaultdict[tuple[str, ...], dict[tuple[str, ...], list[float]]] = defaultdict(dict)
    for pair in pairs:
        if pair.has_right_answer:
            name = _class_of(pair, balance)
            draws[name[:-1]].setdefault(name, []).append(_draw(pair))
    limits = {}
    for beside in draws.values():
        least = LEAST_SHARE * sum(map(len, beside.values()))
        size = min(len(numbers) for numbers in beside.values() if len(numbers) >= least)
        for name, numbers in beside.items():
            limits[name] = sorted(numbers)[min(size, len(numbers)) - 1]
    return limits
