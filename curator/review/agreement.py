"""How far people agree with each other, and with what machines say; pure.

The coefficients are NLTK's: of the libraries that have Krippendorff's alpha it is the one under a
licence like ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.metrics.agreement import AnnotationTask

Ratings = Mapping[str, str]
"""What each rater says of one thing."""


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa of two raters' ratings of the same things.

    J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
    Measurement 20, 1960. ``None`` where it is not defined: nothing was rated by both, or both gave
    one and the same rating only.
    """
    if len({rating for pair in pairs for rating in pair}) < 2:  # noqa: PLR2004 - nothing can differ
        return None
    table = ({"first": first, "second": second} for first, second in pairs)
    return float(_task(table).kappa_pairwise("first", "second"))


def krippendorffs_alpha(ratings: Iterable[Ratings]) -> float | None:
    """Return Krippendorff's alpha of nominal ratings of things, which not all raters rated.

    ``None`` where it is not defined: no thing was rated twice, or all ratings are the same.
    """
    twice = [each for each in ratings if len(each) > 1]
    if len({rating for each in twice for rating in each.values()}) < 2:  # noqa: PLR2004 - as above
        return None
    return float(_task(twice).alpha())


def _task(ratings: Iterable[Ratings]) -> AnnotationTask:
    # NLTK takes a second to import, and few campaigns have several reviewers.
    from nltk.metrics.agreement import AnnotationTask  # noqa: PLC0415

    return AnnotationTask(
        [
            (rater, str(number), rating)
            for number, each in enumerate(ratings)
            for rater, rating in each.items()
        ]
    )


def pairs_of_raters(ratings: Iterable[Ratings]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return what each two raters said of the things that both rated, by their names in order."""
    common: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for each in ratings:
        for first, second in combinations(sorted(each), 2):
            common.setdefault((first, second), []).append((each[first], each[second]))
    return common
