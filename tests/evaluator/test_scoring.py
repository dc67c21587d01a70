"""From predictions to a scorecard."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.metrics import Metric, parse_metrics
from evaluator.scoring import default_metrics, score_predictions
from evaluator.text_models import TextModels
from shared.errors import InputError
from shared.records import QAPair
from tests.evaluator.predictions import predicted

CHEAP = (Metric.EXACT_MATCH, Metric.TOKEN_F1)


def score(predictions, metrics=CHEAP, models=TextModels(), train=None):  # noqa: B008
    return score_predictions(
        predictions, metrics=metrics, text_models=models, train_pairs=train, provenance={"by": "me"}
    )


def test_all_five_metrics_of_one_set(text_models):
    predictions = [
        predicted("White.", "white", grounding=0.25, image="a.jpg"),
        predicted("3", "4", question="How many legs", grounding=None, image="b.jpg"),
    ]
    scorecard, columns = score(predictions, list(default_metrics(predictions)), text_models)
    metrics = scorecard.scores.metrics
    assert metrics["exact_match"].mean == 0.5
    assert columns["csns"] == pytest.approx([1, np.exp(-1.25)], abs=1e-6)
    assert columns["vtgs"][0] == pytest.approx(0.5, abs=1e-6)
    assert np.isnan(columns["vtgs"][1])
    assert metrics["vtgs"].n == 1
    assert "all-MiniLM-L6-v2" in scorecard.signatures["bertscore_f1"]
    assert "alpha 5" in scorecard.signatures["csns"]
    assert scorecard.provenance["by"] == "me"
    assert scorecard.provenance["versions"]["numpy"] == np.__version__


def test_the_order_of_rows_changes_nothing(text_models):
    predictions = [
        predicted(a, r, image=f"{i % 3}.jpg", question=f"what color is it {i}")
        for i, (a, r) in enumerate([("red", "red"), ("blue", "navy"), ("3", "4"), ("x", "y")] * 3)
    ]
    metrics = [Metric.EXACT_MATCH, Metric.CSNS, Metric.BERTSCORE_F1]
    forward, _ = score(predictions, metrics, text_models)
    backward, _ = score(predictions[::-1], metrics, text_models)
    assert forward == backward


def test_an_answer_to_a_broken_image_scores_zero_everywhere_and_is_counted(text_models):
    predictions = [
        predicted("red", "red", broken=True, grounding=None),
        predicted("red", "red", image="b.jpg", grounding=1.0),
    ]
    scorecard, columns = score(predictions, list(Metric), text_models)
    assert scorecard.broken_images == 1
    assert {name: column[0] for name, column in columns.items()} == dict.fromkeys(columns, 0.0)
    assert scorecard.scores.metrics["vtgs"].n == 2


def test_the_prior_is_scored_on_the_same_rows_from_training_pairs_alone():
    train = [QAPair("1", "what color is the shoe", "white", "t.jpg")]
    scorecard, _ = score([predicted("red", "white"), predicted("x", "red")], train=train)
    assert scorecard.prior.metrics["exact_match"].mean == 0.5
    assert scorecard.scores.metrics["exact_match"].mean == 0.0
    assert scorecard.over_prior["exact_match"].mean == -0.5
    assert score([predicted("red", "red")])[0].prior is None


def test_the_lead_over_the_prior_is_paired_row_by_row():
    # Both get half of each picture's questions right, never the same half.
    train = [QAPair("1", "what color is it", "red", "t.jpg"), QAPair("2", "which", "cat", "t.jpg")]
    rows = []
    for image in ("a.jpg", "b.jpg", "c.jpg"):
        rows.append(predicted("x", "red", question="what color is it", image=image))
        rows.append(predicted("dog", "dog", question="which", image=image))
    lead = score(rows, train=train)[0].over_prior["exact_match"]
    assert (lead.mean, lead.std, lead.ci95) == (0.0, 1.0, (0.0, 0.0))


def test_the_prior_has_no_grounding(text_models):
    train = [QAPair("1", "what color", "white", "t.jpg")]
    scorecard, _ = score([predicted("a", "a", grounding=0.5)], [Metric.VTGS], text_models, train)
    assert "vtgs" not in scorecard.prior.metrics
    assert "vtgs" not in scorecard.over_prior


def test_vtgs_without_regions_is_refused_and_not_a_default(text_models):
    predictions = [predicted("red", "red")]
    assert Metric.VTGS not in default_metrics(predictions)
    with pytest.raises(InputError, match="no prediction has a grounding value"):
        score(predictions, [Metric.VTGS], text_models)


def test_answer_frequency_is_that_of_the_reference():
    predictions = [predicted("white", "white", image=f"{i}.jpg") for i in range(5)]
    predictions += [predicted("x", f"rare {i}", image=f"{i}.jpg") for i in range(120)]
    groups = score(predictions)[0].scores.by_answer_frequency
    assert {name: group.n for name, group in groups.items()} == {
        "frequent": 14,
        "common": 90,
        "rare": 21,
    }


def test_agreement_with_the_listing_is_broken_down_where_it_is_known():
    said = {"a.jpg": "agrees", "b.jpg": "disagrees", "c.jpg": "agrees", "d.jpg": ""}
    predictions = [
        replace(p, pair=replace(p.pair, agreement=said[p.pair.filename]))
        for p in (
            predicted("red", "red" if image != "b.jpg" else "blue", image=image) for image in said
        )
    ]
    groups = score(predictions)[0].scores.by_agreement
    assert list(groups) == ["agrees", "disagrees"]
    assert groups["agrees"].n == 2
    assert groups["agrees"].metrics["exact_match"].mean == 1.0
    assert groups["disagrees"].metrics["exact_match"].mean == 0.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [("exact_mach", "did you mean 'exact_match'"), ("", "names no metric"), ("zzz", "known")],
)
def test_unknown_metrics_are_refused(text, reason):
    with pytest.raises(InputError, match=reason):
        parse_metrics(text)


def test_metrics_keep_their_order_once_each():
    assert parse_metrics("csns, Exact_Match,csns") == (Metric.CSNS, Metric.EXACT_MATCH)


def test_nothing_to_score_is_refused():
    with pytest.raises(InputError, match="nothing to score"):
        score([])
