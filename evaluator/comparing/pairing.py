"""The same question in several runs: which rows belong together, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from evaluator.comparing.significance import Difference, paired_difference
from evaluator.runs.folder import RowKey, Run, places_by_key
from shared.dataset.units import units_of
from shared.questions.answers import spaced
from shared.records import QAPair, pair_id


@dataclass(frozen=True)
class PairedRows:
    """For each question that all runs answered, its row in each run.

    ``rows`` has one tuple for each question, in the first run's order, with one index for each
    run. ``missing`` counts the questions that some run lacks, or that cannot be told apart.
    """

    rows: Sequence[tuple[int, ...]]
    missing: int


def pair_rows(runs: Sequence[Run]) -> PairedRows:
    """Match rows about one image with one question and one reference, however these are spelled.

    A column that is called id may be the image's, so it is no row's name: it decides among rows
    that say the same, and stands for the image where a file names none.
    """
    groups = _groups(runs)
    one_order: bool | None = None
    rows: list[tuple[int, ...]] = []
    missing = 0
    for row in dict.fromkeys(row for of_run in groups for row in of_run):
        alike = [of_run.get(row, []) for of_run in groups]
        most = max(map(len, alike))
        if most == 1:
            matched = list(zip(*alike, strict=False))
        else:
            # Where nothing but their order tells rows apart, another order pairs none of them.
            if not row[0] and one_order is None:
                one_order = _have_one_order(runs)
            told_apart = bool(row[0]) or one_order
            matched = list(zip(*_by_id(runs, alike), strict=False)) if told_apart else []
        rows += matched
        missing += most - len(matched)
    return PairedRows(sorted(rows), missing)


def _groups(runs: Sequence[Run]) -> Sequence[Mapping[RowKey, Sequence[int]]]:
    """Return, for each run, the indices of each row."""
    if all(run.names_images for run in runs):
        return [run.rows_by_image for run in runs]
    first = _first_part(runs)
    return [
        places_by_key(
            (first(prediction.pair), *said)
            for prediction, said in zip(run.predictions, run.said, strict=True)
        )
        for run in runs
    ]


def _first_part(runs: Sequence[Run]) -> Callable[[QAPair], str]:
    """Return what tells a row from another where images have no names; "" where nothing does."""
    ids = [[prediction.pair.id for prediction in run.predictions] for run in runs]
    own = all(
        prediction.pair.id != pair_id(prediction.pair.filename, prediction.pair.question)
        for run in runs
        for prediction in run.predictions
    )
    if own and all(len(set(of_run)) == len(of_run) for of_run in ids) and not _ids_contradict(runs):
        return lambda pair: pair.id
    return lambda _: ""


def _ids_contradict(runs: Sequence[Run]) -> bool:
    """Tell whether an id asks one question here and another there: then it is a row's number."""
    asked: dict[str, str] = {}
    return any(
        asked.setdefault(prediction.pair.id, spaced(prediction.pair.asks))
        != spaced(prediction.pair.asks)
        for run in runs
        for prediction in run.predictions
    )


def _by_id(runs: Sequence[Run], alike: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    """Return rows that say the same, in the first run's order: by id, where ids tell them apart."""
    ids = [
        [run.predictions[index].pair.id for index in indices]
        for run, indices in zip(runs, alike, strict=True)
    ]
    if any(len(set(of_run)) < len(of_run) or set(of_run) != set(ids[0]) for of_run in ids):
        return alike
    places = [
        dict(zip(of_run, indices, strict=True)) for of_run, indices in zip(ids, alike, strict=True)
    ]
    return [[place[row_id] for row_id in ids[0]] for place in places]


def _have_one_order(runs: Sequence[Run]) -> bool:
    return len({tuple(run.said) for run in runs}) == 1


def exact_match_gain(base: Run, other: Run, paired: PairedRows) -> Difference:
    """Return how much more ``other`` answers exactly than ``base``, in [-1, 1].

    Args:
        base: one run.
        other: the run that is compared with it.
        paired: rows of exactly these two runs.
    """
    gains_N = np.array(
        [other.right[twin] - base.right[row] for row, twin in paired.rows], np.float64
    )
    units = units_between(base, other)
    asked = [base.predictions[row].pair.filename for row, _ in paired.rows]
    return paired_difference(gains_N, [units[filename] for filename in asked])


def units_between(base: Run, other: Run) -> Mapping[str, str]:
    """Return the unit of each image; what either run joins is joined."""
    # A row that names no image has a number for one, which is another row's in the other run.
    named = (prediction.pair for prediction in other.predictions if prediction.pair.names_image)
    return units_of([*(prediction.pair for prediction in base.predictions), *named])


def differing_rows(base: Run, other: Run, paired: PairedRows) -> tuple[list[QAPair], list[QAPair]]:
    """Return the pairs that only ``base`` answers, and those that only ``other`` does."""
    matched = [set(places) for places in zip(*paired.rows, strict=True)] or [set(), set()]
    only_base, only_other = (
        [prediction.pair for index, prediction in enumerate(run.predictions) if index not in there]
        for run, there in zip((base, other), matched, strict=True)
    )
    return only_base, only_other


def spelled_otherwise(runs: Sequence[Run], paired: PairedRows) -> int:
    """Return how many rows have a reference that the runs spell differently."""
    return sum(
        len({run.predictions[place].pair.answer for run, place in zip(runs, row, strict=True)}) > 1
        for row in paired.rows
    )


def why_rows_repeat(only_base: Sequence[QAPair], only_other: Sequence[QAPair]) -> str:
    """Return why rows that both runs hold pair with none: nothing tells them apart; else nothing.

    Args:
        only_base: the rows of one run that no row of the other is.
        only_other: those of the other run.
    """
    pairs = [*only_base, *only_other]
    asked = [
        Counter((spaced(p.asks), spaced(p.answer)) for p in of) for of in (only_base, only_other)
    ]
    if not pairs or any(pair.names_image for pair in pairs) or asked[0] != asked[1]:
        return ""
    return (
        "both ask the same in another order and name no image, so nothing tells rows "
        "apart; give both a column of images, or an id to each row"
    )


def why_none_pair(base: Run, other: Run) -> str:
    """Return why no row of two runs is the other's, where that can be told; else nothing."""
    pairs = [[prediction.pair for prediction in run.predictions] for run in (base, other)]
    if len({any(pair.names_image for pair in of_run) for of_run in pairs}) > 1:
        return "one of them names no images; give both a column of images"
    names = [{PurePath(pair.filename).stem: pair.filename for pair in of_run} for of_run in pairs]
    common = sorted(names[0].keys() & names[1].keys())
    if common and not {*names[0].values()} & {*names[1].values()}:
        here, there = names[0][common[0]], names[1][common[0]]
        return (
            f"their images go by other names, such as {here!r} and {there!r}; score both with "
            "--images DIR, which names them as the files are"
        )
    return ""


def other_references(
    only_base: Sequence[QAPair], only_other: Sequence[QAPair]
) -> list[tuple[QAPair, QAPair]]:
    """Return the pairs of both runs that ask the same, with other references."""
    # The same row's number alone says nothing.
    asked = {(pair.filename, spaced(pair.question)): pair for pair in only_other if pair.asks}
    both = ((pair, asked.get((pair.filename, spaced(pair.question)))) for pair in only_base)
    return [(pair, twin) for pair, twin in both if twin is not None]
