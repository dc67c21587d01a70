"""Controls: who is shown what, and what the scorecard says about those who saw nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.scoring.controls import CONSTANT_ANSWERS, other_images, rows_of
from evaluator.scoring.scoring import score_predictions
from shared.records import QAPair
from tests.evaluator.predictions import predicted

NAMES = st.lists(st.integers(0, 40).map(lambda n: f"{n}.jpg"), max_size=30)


@given(NAMES, st.integers(0, 50), st.integers(0, 5))
def test_every_image_of_the_sample_is_shown_once_and_never_to_itself(names, sample, seed):
    shown = other_images(names, sample=sample, seed=seed)
    distinct = set(names)
    if len(distinct) < 2 or not sample:
        assert shown == {}
        return
    assert len(shown) == min(max(2, sample), len(distinct))
    assert set(shown) == set(shown.values()) <= distinct
    assert all(image != other for image, other in shown.items())
    assert shown == other_images(names[::-1], sample=sample, seed=seed)


def test_another_seed_draws_another_control():
    names = [f"{n}.jpg" for n in range(40)]
    assert other_images(names, sample=20, seed=0) != other_images(names, sample=20, seed=1)


def test_the_scorecard_says_how_much_needs_the_picture():
    seen = [predicted("red", "red", image=f"{i}.jpg") for i in range(20)]
    # The model alone would say "blue" to every other picture.
    blind = [predicted("blue" if i % 4 else "red", "red", image=f"{i}.jpg") for i in range(8)]
    train = [QAPair("t", "what color is the shoe", "red", "train.jpg")]
    scorecard, _ = score_predictions(
        seen,
        metrics=[METRICS["exact_match"]],
        text_models=TextModels(),
        train_pairs=train,
        provenance={},
        shuffled=blind,
    )
    assert scorecard.over_prior["exact_match"].mean == 0.0
    assert scorecard.shuffled.n == 8
    lead = scorecard.over_shuffled["exact_match"]
    assert lead.mean == pytest.approx(0.75)
    assert lead.ci95[0] <= 0.75 <= lead.ci95[1]


def test_constant_answers_are_scored():
    rows = [
        predicted("x", answer, image=f"{i}.jpg")
        for i, answer in enumerate(["yes", "Yes.", "two", "black", "no"])
    ]
    scorecard, _ = score_predictions(
        rows,
        metrics=[METRICS["exact_match"]],
        text_models=TextModels(),
        train_pairs=None,
        provenance={},
    )
    means = {name: group.metrics["exact_match"].mean for name, group in scorecard.constants.items()}
    assert means == pytest.approx(dict(zip(CONSTANT_ANSWERS, (0.4, 0.2, 0.2), strict=True)))


def test_rows_of_a_control_must_have_been_answered():
    with pytest.raises(ValueError, match="was not answered"):
        rows_of([predicted("a", "b")], [predicted("a", "b", image="other.jpg")])
