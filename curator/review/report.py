"""What is known of a campaign's pairs after people looked at some of them; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from curator.ledger.records.review import SeenPair
from curator.review.agreement import cohens_kappa, krippendorffs_alpha, pairs_of_raters
from curator.review.sample import fair_sample, skipped_in_sample
from curator.review.verdicts import Outcome, deciding, verdict_on
from shared.dataset.agreement_rate import AgreementRate
from shared.questions.types import question_type

GROUPS: Final[Mapping[str, Callable[[SeenPair], str]]] = {
    "type": lambda pair: question_type(pair.question),
    "model": lambda pair: pair.model or "unknown",
    "prompt": lambda pair: pair.prompt_version,
    "style": lambda pair: pair.style or "none",
    "difficulty": lambda pair: pair.difficulty or "unknown",
    "second_opinion": lambda pair: pair.opinion or "none",
    "listing": lambda pair: pair.agreement or "unknown",
}
"""By what the share of right pairs is told."""
RIGHT: Final = {True: "right", False: "wrong"}


def review_report(pairs: Sequence[SeenPair]) -> dict[str, Any]:
    """Return what people found out, of judged ``pairs`` in the order of their images.

    Shares of right pairs come from the fair sample alone (see ``curator.review.sample``), with 95 %
    intervals that know that pairs of one image are not independent.
    """
    judged = [pair for pair in pairs if verdict_on(pair) is not None]
    sample = fair_sample(judged)
    return {
        "judged": len(judged),
        "outcomes": _outcomes(judged),
        "reasons": _reasons(judged),
        "reviewers": _reviewers(pairs),
        "sample": {
            "judged": len(sample),
            "skipped": skipped_in_sample(pairs),
            "outcomes": _outcomes(sample),
            "right": share_of_right(sample),
            "label_error": label_error(sample),
            "right_by": {
                name: {
                    value: share_of_right(each)
                    for value, each in sorted(_by(sample, group_of).items())
                }
                for name, group_of in GROUPS.items()
            },
        },
        "agreement": {
            "people": _agreement_of_people(judged),
            "second_opinion": _agreement_with(sample, lambda pair: pair.opinion),
            "listing": _agreement_with(sample, lambda pair: pair.agreement),
        },
    }


def review_summary(pairs: Sequence[SeenPair]) -> dict[str, Any]:
    """Return what ``curator.review.report_view.report_line`` tells, without the agreement.

    That takes a library which needs a second to import.
    """
    judged = [pair for pair in pairs if verdict_on(pair) is not None]
    sample = fair_sample(judged)
    return {
        "judged": len(judged),
        "outcomes": _outcomes(judged),
        "sample": {
            "judged": len(sample),
            "skipped": skipped_in_sample(pairs),
            "right": share_of_right(sample),
            "label_error": label_error(sample),
        },
    }


def share_of_right(pairs: Iterable[SeenPair]) -> dict[str, Any]:
    """Return how many of judged pairs are right, as a share with its 95 % interval.

    A disputed pair counts as not right.
    """
    rate = AgreementRate()
    ordered = sorted(pairs, key=lambda pair: pair.place)
    for _, group in groupby(ordered, key=lambda pair: pair.place.item_id):
        verdicts = [verdict_on(pair) for pair in group]
        rate.add_image(len(verdicts), sum(each is not None and each.is_right for each in verdicts))
    interval = rate.interval()
    return {
        "pairs": rate.opinions,
        "images": rate.images,
        "right": rate.agreeing,
        "share": rate.rate,
        "ci95": None if interval is None else list(interval),
    }


def label_error(pairs: Iterable[SeenPair]) -> dict[str, Any]:
    """Return the share of pairs that are not right, of a fair sample, with its 95 % interval."""
    right = share_of_right(pairs)
    share, interval = right["share"], right["ci95"]
    return {
        "pairs": right["pairs"],
        "share": None if share is None else 1 - share,
        "ci95": None if interval is None else [1 - interval[1], 1 - interval[0]],
    }


def _outcomes(judged: Iterable[SeenPair]) -> dict[str, int]:
    counts = Counter(verdict.outcome for pair in judged if (verdict := verdict_on(pair)))
    return {outcome.value: counts[outcome] for outcome in Outcome}


def _reasons(judged: Iterable[SeenPair]) -> dict[str, int]:
    counts = Counter(review.reason for pair in judged for review in pair.reviews if review.reason)
    return dict(counts.most_common())


def _reviewers(pairs: Iterable[SeenPair]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for pair in pairs:
        for review in pair.reviews:
            counts.setdefault(review.reviewer, Counter())[review.decision.value] += 1
    return {name: dict(counts[name]) for name in sorted(counts)}


def _by(
    pairs: Iterable[SeenPair], group_of: Callable[[SeenPair], str]
) -> dict[str, list[SeenPair]]:
    groups: dict[str, list[SeenPair]] = {}
    for pair in pairs:
        groups.setdefault(group_of(pair), []).append(pair)
    return groups


def _agreement_of_people(judged: Iterable[SeenPair]) -> dict[str, Any]:
    ratings = [
        {review.reviewer: review.decision.value for review in deciding(pair.reviews)}
        for pair in judged
    ]
    twice = [each for each in ratings if len(each) > 1]
    return {
        "judged_by_several": len(twice),
        "unanimous": sum(len(set(each.values())) == 1 for each in twice),
        "krippendorffs_alpha": krippendorffs_alpha(twice),
        "two_by_two": [
            {
                "reviewers": list(names),
                "pairs": len(said),
                "same": sum(first == second for first, second in said),
                "cohens_kappa": cohens_kappa(said),
            }
            for names, said in sorted(pairs_of_raters(twice).items())
        ],
    }


def _agreement_with(sample: Iterable[SeenPair], says: Callable[[SeenPair], str]) -> dict[str, Any]:
    """Return how often people and a machine take the same pairs for right."""
    both = [
        (RIGHT[verdict.is_right], RIGHT[says(pair) == "agrees"])
        for pair in sample
        if (verdict := verdict_on(pair)) and says(pair) in {"agrees", "disagrees"}
    ]
    counts = Counter(both)
    return {
        "pairs": len(both),
        "both_right": counts["right", "right"],
        "people_alone_right": counts["right", "wrong"],
        "machine_alone_right": counts["wrong", "right"],
        "both_wrong": counts["wrong", "wrong"],
        "cohens_kappa": cohens_kappa(both),
    }
