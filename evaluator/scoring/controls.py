"""Controls: what scores without seeing the right picture, or when it is asked a little otherwise.

The question-only prior guesses from training data, a constant answer from nothing, and the
shuffled control is the model itself, shown the picture of another question. So it is under each
change of ``evaluator.robustness``: the same questions about changed pictures, or in other words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import METRICS
from evaluator.metrics.rows import Regions, Rows
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.scoring.figures import Breakdown, Figure, Group, break_down, whole_group
from evaluator.scoring.robustness import ChangedAnswers, Robustness
from evaluator.scoring.sums.columns import Columns, score_columns
from evaluator.scoring.sums.tally import Cell, Tally
from shared.questions.answers import exact_match
from shared.questions.prior import QuestionPrior
from shared.records import Prediction, QAPair

CONSTANT_ANSWERS: Final = ("yes", "two", "black")
"""The most frequent answers of a yes/no, a count and a colour question."""


@dataclass(frozen=True)
class Scored:
    """Predictions with their cells and scores, and what scored them."""

    predictions: Sequence[Prediction]
    cells: Sequence[Cell]
    columns: Columns
    metrics: Sequence[Metric]
    text_models: TextModels


@dataclass(frozen=True)
class Control:
    """What a control scores, and how much more each answer does, row by row.

    ``lead`` lacks figures that belong to a set as a whole, and ``columns`` has the control's own
    scores. Without a control there is nothing.
    """

    scores: Breakdown | None = None
    lead: Mapping[str, Figure] = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class UnderChange:
    """What the model answered to some of the rows under a change, and what is told of that.

    ``moves`` says that boxes no longer hold, ``left_out`` counts questions that the change knows no
    way for.
    """

    signature: str
    moves: bool
    predictions: Sequence[Prediction]
    left_out: int = 0


def other_images(filenames: Iterable[str], *, sample: int, seed: int) -> dict[str, str]:
    """Return for each image of a sample the other image that is shown in its place.

    The whole image changes for all its questions, so that it is still encoded once. The choice
    depends on the seed and the set of names alone; every image of the sample is shown once, none
    to its own questions.

    Args:
        filenames: images, repeated or not.
        sample: how many of them to draw; none for 0, all where there are fewer.
        seed: of the draw.
    """
    names = sorted(set(filenames))
    if len(names) < 2 or sample < 1:  # noqa: PLR2004 (one image has no other)
        return {}
    drawn = drawn_images(names, sample=max(2, sample), seed=seed)
    # One step along a random circle leaves nobody in place.
    return dict(zip(drawn, [*drawn[1:], drawn[0]], strict=True))


def drawn_images(filenames: Iterable[str], *, sample: int, seed: int) -> list[str]:
    """Return a sample of images, by the seed and the set of names alone; all if there are fewer."""
    names = sorted(set(filenames))
    order = np.random.default_rng(seed).permutation(len(names))[:sample]
    return [names[index] for index in order]


def prior_control(scored: Scored, train_pairs: Sequence[QAPair] | None) -> Control:
    """Return what the question-only prior scores on the same rows."""
    if not train_pairs:
        return Control()
    # A guess that saw no picture has no region in it.
    textual = [metric for metric in scored.metrics if metric.regions is None]
    guessed = guesses(scored.predictions, train_pairs)
    return _control(
        scored.cells, scored.columns, score_columns(guessed, textual, scored.text_models)
    )


def shuffled_control(scored: Scored, shuffled: Sequence[Prediction]) -> Control:
    """Return what the same model scores on some of the rows, shown another picture."""
    if not shuffled:
        return Control()
    measured = Rows.of(shuffled).measured
    return _of_the_model(scored, shuffled, rows_of(scored.predictions, shuffled), measured)


def robustness(scored: Scored, under: UnderChange) -> Robustness:
    """Return what the same model scores on some of the rows under a change."""
    rows = rows_of(scored.predictions, under.predictions)
    measured = Rows.of(under.predictions).measured
    if under.moves:
        # What the boxes say holds of the picture as it is.
        measured -= {Regions.BOXES}
    control = _of_the_model(scored, under.predictions, rows, measured)
    assert control.scores is not None
    differs_N = np.array(
        [
            float(not exact_match(now.answer, scored.predictions[row].answer))
            for now, row in zip(under.predictions, rows, strict=True)
        ]
    )
    counted = Tally.of([scored.cells[row] for row in rows], {"other": differs_N})
    return Robustness(
        signature=under.signature,
        images=len({row.pair.filename for row in under.predictions}),
        left_out=under.left_out,
        scores=control.scores,
        drop=control.lead,
        other_answers=whole_group(counted).metrics["other"],
        answers=ChangedAnswers(under.predictions, control.columns),
    )


def _of_the_model(
    scored: Scored,
    answered: Sequence[Prediction],
    rows: Sequence[int],
    measured: frozenset[Regions],
) -> Control:
    """Return what the model's other answers to some rows score; ``measured`` have regions."""
    possible = [m for m in scored.metrics if m.regions is None or m.regions in measured]
    return _control(
        [scored.cells[row] for row in rows],
        {name: column[rows] for name, column in scored.columns.items()},
        score_columns(answered, possible, scored.text_models),
    )


def constant_groups(scored: Scored) -> dict[str, Group]:
    """Return what giving one answer to every question scores, for each of a few answers."""
    cheap = [metric for metric in scored.metrics if metric.of_constants]
    if not cheap:
        return {}
    rows = Rows.of(scored.predictions)
    columns = {
        (answer, metric.name): metric.score(
            replace(rows, answers=[answer] * len(rows.answers)), scored.text_models
        )
        for answer in CONSTANT_ANSWERS
        for metric in cheap
    }
    # Counted together, so that the units are drawn once for all of them.
    names = {key: f"{place}" for place, key in enumerate(columns)}
    whole = whole_group(
        Tally.of(scored.cells, {names[key]: column for key, column in columns.items()})
    )
    return {
        answer: Group(
            whole.n,
            {
                metric.name: whole.metrics[names[answer, metric.name]]
                for metric in cheap
                if names[answer, metric.name] in whole.metrics
            },
        )
        for answer in CONSTANT_ANSWERS
    }


def guesses(predictions: Sequence[Prediction], train_pairs: Iterable[QAPair]) -> list[Prediction]:
    """Return what the question-only prior says to each row."""
    prior = QuestionPrior.fit(train_pairs)
    return [_without_picture(p, prior.answer(p.pair.question)) for p in predictions]


def _without_picture(prediction: Prediction, answer: str) -> Prediction:
    # A guess that saw no picture has no region in it.
    return replace(
        prediction,
        answer=answer,
        confidence=None,
        grounding=None,
        grounding_boxes=None,
        broken_image=False,
        failure="",
    )


def rows_of(predictions: Sequence[Prediction], some: Sequence[Prediction]) -> list[int]:
    """Return the places in ``predictions`` of rows that are about the same pairs.

    Raises:
        ValueError: a row of ``some`` is about a pair that ``predictions`` lacks.
    """
    # Equal pairs have equal answers, so any of their places serves.
    places = {p.pair: index for index, p in enumerate(predictions)}
    try:
        return [places[p.pair] for p in some]
    except KeyError as error:
        raise ValueError(f"{error.args[0]} was not answered") from None


def _control(cells: Sequence[Cell], columns: Columns, control: Columns) -> Control:
    gains = {
        name: columns[name] - without
        for name, without in control.items()
        if name in METRICS and METRICS[name].has_leads
    }
    lead = break_down(Tally.of(cells, gains)).metrics
    return Control(break_down(Tally.of(cells, control)), lead, control)
