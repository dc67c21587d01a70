"""From predictions to a scorecard."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.metrics.captioning.bleu_4_sacre import sacre_bleu
from evaluator.metrics.captioning.bleu_counts import bleu, bleu_statistics
from evaluator.metrics.choice import default_metrics, parse_metrics
from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.scoring.figures import break_down
from evaluator.scoring.scoring import measured_metrics, score_predictions
from evaluator.scoring.sums.columns import score_columns
from evaluator.scoring.sums.tally import Cell, Tally
from shared.errors import InputError
from shared.questions.types import question_type
from shared.records import Prediction, QAPair
from shared.records.boxes import Box
from tests.evaluator.predictions import predicted

CHEAP = parse_metrics("exact_match,token_f1")


def score(predictions, metrics=CHEAP, models=TextModels(), train=None):  # noqa: B008
    return score_predictions(
        predictions, metrics=metrics, text_models=models, train_pairs=train, provenance={"by": "me"}
    )


def test_all_five_metrics_of_one_set(text_models):
    predictions = [
        predicted("White.", "white", grounding=0.25, image="a.jpg"),
        predicted("3", "4", question="How many legs", grounding=None, image="b.jpg"),
    ]
    scorecard, columns = score(predictions, list(measured_metrics(predictions)), text_models)
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
    metrics = parse_metrics("exact_match,csns,bertscore_f1")
    forward, _ = score(predictions, metrics, text_models)
    backward, _ = score(predictions[::-1], metrics, text_models)
    assert forward == backward


def test_an_answer_to_a_broken_image_scores_zero_everywhere_and_is_counted(text_models):
    predictions = [
        predicted("red", "red", broken=True, grounding=None),
        predicted("red", "red", image="b.jpg", grounding=1.0),
    ]
    scorecard, columns = score(
        predictions, [*default_metrics(), *parse_metrics("substring,levenshtein")], text_models
    )
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
    scorecard, _ = score(
        [predicted("a", "a", grounding=0.5)], [METRICS["vtgs"]], text_models, train
    )
    assert "vtgs" not in scorecard.prior.metrics
    assert "vtgs" not in scorecard.over_prior


def test_vtgs_without_regions_is_refused_and_not_a_default(text_models):
    predictions = [predicted("red", "red")]
    assert METRICS["vtgs"] not in measured_metrics(predictions)
    with pytest.raises(InputError, match="no prediction has a value in column `grounding`"):
        score(predictions, [METRICS["vtgs"]], text_models)


def test_vtgs_against_boxes_is_another_metric_of_the_rows_that_have_boxes(text_models):
    boxes = (Box(0, 0, 1, 1),)
    rows = [
        predicted("red", "red", grounding=0.25, boxes=boxes, grounding_boxes=0.81),
        predicted("red", "red", grounding=0.49, image="b.jpg"),
        predicted("", "red", image="c.jpg", broken=True, boxes=boxes),
        predicted("", "red", image="d.jpg", broken=True),
    ]
    metrics = measured_metrics(rows)
    assert metrics.index(METRICS["vtgs"]) + 1 == metrics.index(METRICS["vtgs_boxes"])
    scorecard, columns = score(rows, parse_metrics("vtgs,vtgs_boxes"), text_models)
    assert columns["vtgs"] == pytest.approx([0.5, 0.7, 0, 0], abs=1e-6)
    assert columns["vtgs_boxes"] == pytest.approx([0.9, np.nan, 0, np.nan], abs=1e-6, nan_ok=True)
    assert scorecard.scores.metrics["vtgs_boxes"].n == 2
    assert scorecard.provenance["questions_with_boxes"] == 2
    assert "boxes" in scorecard.signatures["vtgs_boxes"]
    assert "boxes" not in scorecard.signatures["vtgs"]
    with pytest.raises(InputError, match="vtgs_boxes: no prediction has a value in column"):
        score(rows[1:2], [METRICS["vtgs_boxes"]], text_models)


def test_the_shuffled_control_is_held_against_the_questions_own_boxes(text_models):
    boxes = (Box(0, 0, 1, 1),)
    own = [predicted("red", "red", boxes=boxes, grounding_boxes=0.64), predicted("a", "b")]
    other = [replace(own[0], grounding_boxes=0.04)]
    scorecard, _ = score_predictions(
        own,
        metrics=[METRICS["vtgs_boxes"]],
        text_models=text_models,
        train_pairs=None,
        provenance={},
        shuffled=other,
    )
    assert scorecard.over_shuffled["vtgs_boxes"].mean == pytest.approx(0.6, abs=1e-6)
    unseen, _ = score_predictions(
        own,
        metrics=parse_metrics("exact_match,vtgs_boxes"),
        text_models=text_models,
        train_pairs=None,
        provenance={},
        shuffled=own[1:],
    )
    assert set(unseen.over_shuffled) == {"exact_match"}


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
    listed = {"a.jpg": "agrees", "b.jpg": "disagrees", "c.jpg": "agrees", "d.jpg": ""}
    predictions = [
        replace(p, pair=replace(p.pair, agreement=listed[p.pair.filename]))
        for p in (
            predicted("red", "red" if image != "b.jpg" else "blue", image=image) for image in listed
        )
    ]
    groups = score(predictions)[0].scores.by_agreement
    assert list(groups) == ["agrees", "disagrees"]
    assert groups["agrees"].n == 2
    assert groups["agrees"].metrics["exact_match"].mean == 1.0
    assert groups["disagrees"].metrics["exact_match"].mean == 0.0


def test_nothing_to_score_is_refused():
    with pytest.raises(InputError, match="nothing to score"):
        score([])


LONGER = [
    ("a red shoe with laces", "a red boot with laces"),
    ("red", "red"),
    ("the sofa is dark blue", "the sofa is blue"),
    ("", "two round legs"),
]


def longer(count: int):
    return [
        predicted(*LONGER[i % 4], image=f"{i % 5}.jpg", question=f"{'how many' * (i % 2)} q{i}")
        for i in range(count)
    ]


def test_a_corpus_figure_is_that_of_all_rows_and_never_a_mean_of_parts():
    pytest.importorskip("pycocoevalcap", reason="the extra `captioning` is not installed")
    rows = longer(23)
    metrics = parse_metrics("bleu_1,bleu_4,bleu_4_sacre,cider,rouge_l")
    scorecard, columns = score(rows, metrics)
    counts = bleu_statistics([p.answer for p in rows], [p.pair.references for p in rows])
    figures = scorecard.scores.metrics
    whole = counts.sum(axis=0, keepdims=True)
    assert figures["bleu_1"].mean == pytest.approx(bleu(whole, 1)[0], abs=1e-12)
    assert figures["bleu_4"].mean == pytest.approx(bleu(whole, 4)[0], abs=1e-12)
    assert figures["bleu_4_sacre"].mean == pytest.approx(sacre_bleu(whole)[0], abs=1e-12)
    assert figures["bleu_4"].mean != pytest.approx(columns["bleu_4"].mean())
    low, high = figures["bleu_4"].ci95
    assert low < figures["bleu_4"].mean < high
    assert figures["cider"].mean == pytest.approx(columns["cider"].mean(), abs=1e-9)
    # A group's figure comes from its own rows.
    part = [i for i, p in enumerate(rows) if question_type(p.pair.question) == "count"]
    group = scorecard.scores.by_question_type["count"].metrics["bleu_1"]
    assert group.mean == pytest.approx(bleu(counts[part].sum(axis=0)[None], 1)[0], abs=1e-12)
    assert not any("/" in name for name in figures)


@given(st.permutations(range(12)), st.integers(0, 12))
@settings(max_examples=15)
def test_corpus_figures_do_not_depend_on_shards(order, cut):
    pytest.importorskip("pycocoevalcap", reason="the extra `captioning` is not installed")
    rows = longer(12)
    names = parse_metrics("bleu_4,token_f1")

    def tally(part):
        cells = [Cell(p.pair.filename, "other", "rare") for p in part]
        return Tally.of(cells, score_columns(part, names, TextModels()))

    shuffled = [rows[i] for i in order]
    parts = [part for part in (shuffled[:cut], shuffled[cut:]) if part]
    assert break_down(Tally.merge(map(tally, parts))) == break_down(tally(rows))


def test_set_figures_have_no_lead_row_by_row_over_a_control():
    pytest.importorskip("pycocoevalcap", reason="the extra `captioning` is not installed")
    train = [QAPair("1", "q", "red", "t.jpg")]
    scorecard, _ = score(longer(8), parse_metrics("bleu_1,cider,token_f1"), train=train)
    assert set(scorecard.over_prior) == {"token_f1"}
    assert set(scorecard.prior.metrics) == {"bleu_1", "cider", "token_f1"}


def test_several_references_bring_vqa_accuracy_and_the_best_of_the_others(text_models):
    pair = replace(predicted("maroon", "red").pair, answers=("red", "maroon", "red", "3"))
    rows = [Prediction(pair, "maroon"), Prediction(replace(pair, filename="b.jpg"), "4")]
    assert METRICS["vqa_soft"] in measured_metrics(rows)
    _, columns = score(rows, parse_metrics("vqa_soft,exact_match,csns"), text_models)
    # One of four said it: 0 when that one is left out, 1/3 for each of the other three.
    assert columns["vqa_soft"] == pytest.approx([0.25, 0])
    assert columns["exact_match"].tolist() == [1, 0]
    texts = text_models.sentences.cosines(["4", "4"], ["red", "maroon"])
    assert columns["csns"] == pytest.approx([1, max(np.exp(-5 / 3), *texts)], abs=1e-5)


def test_vqa_accuracy_of_a_broken_image_is_0_where_there_are_several_references():
    rows = [
        predicted("red", "red"),
        predicted("red", "red", image="b.jpg", broken=True),
        predicted("blue", "red", image="c.jpg", broken=True),
    ]
    several = ("red", "red", "blue")
    rows[2] = replace(rows[2], pair=replace(rows[2].pair, answers=several))
    scorecard, columns = score(rows, parse_metrics("vqa_soft,exact_match"))
    assert columns["vqa_soft"] == pytest.approx([np.nan, np.nan, 0], nan_ok=True)
    assert columns["exact_match"].tolist() == [1, 0, 0]
    assert (scorecard.scores.metrics["vqa_soft"].n, scorecard.broken_images) == (1, 2)


def test_a_shuffled_sample_without_several_references_has_no_vqa_accuracy():
    row = predicted("red", "red")
    rows = [replace(row, pair=replace(row.pair, answers=("red", "red"))), predicted("x", "y")]
    scorecard, _ = score_predictions(
        rows,
        metrics=parse_metrics("vqa_soft,exact_match"),
        text_models=TextModels(),
        train_pairs=None,
        provenance={},
        shuffled=rows[1:],
    )
    assert scorecard.scores.metrics["vqa_soft"].mean == 1
    assert set(scorecard.shuffled.metrics) == {"exact_match"}


def test_vqa_accuracy_of_single_references_is_refused():
    with pytest.raises(InputError, match="no row has several references; give them as a list"):
        score([predicted("red", "red")], [METRICS["vqa_soft"]])


def test_number_words_are_an_option_with_a_signature_of_its_own(text_models):
    rows = [predicted("two", "2")]
    plain, _ = score(rows, [METRICS["csns"]], text_models)
    words, columns = score(rows, [METRICS["csns"]], replace(text_models, number_words=True))
    assert columns["csns"].tolist() == [1]
    assert plain.scores.metrics["csns"].mean < 0.9
    assert plain.signatures["csns"] != words.signatures["csns"]


def test_a_signature_ends_with_a_hash_of_metric_and_definition(text_models):
    names = [*default_metrics()[:4], METRICS["substring"]]
    signatures = score([predicted("a", "a")], names, text_models)[0].signatures
    hashes = {text.rpartition("|#")[2] for text in signatures.values()}
    assert len(hashes) == len(names)
    assert all(re.fullmatch("[0-9a-f]{8}", digest) for digest in hashes)
