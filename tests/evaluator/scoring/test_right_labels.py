"""Exact match corrected by a reviewed sample: its estimate, its interval, whose the errors are."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from evaluator.metrics.registry import METRICS
from evaluator.scoring.right_labels import RightLabels, estimated, right_labels
from evaluator.scoring.scorecard import read_scorecard, write_scorecard
from evaluator.scoring.scoring import score_predictions
from shared.corpus import read_predictions, write_predictions
from shared.records import Prediction, QAPair

EASY_VQA_DRAWS, ACCURACY, NOISE, INVALID = 1_000, 0.75, 0.12, 0.03


def prediction(number: int, said: str, answer: str = "red", **label) -> Prediction:
    label = {name: value for name, value in label.items() if value}
    pair = QAPair(f"{number}", "What is the color?", answer, f"{number}.png", **label)
    return Prediction(pair, said)


def judged(number: int, said: str, answer: str = "red", before: str = "", review: str = ""):
    review = review or ("corrected" if before else "accepted")
    return prediction(
        number, said, answer, label_review=review, label_before_review=before, label_sample="whole"
    )


def told(predictions) -> RightLabels:
    return right_labels(predictions, [p.pair.filename for p in predictions])


def test_without_a_sample_nothing_is_told():
    assert told([prediction(1, "red"), prediction(2, "blue")]) is None
    outside = prediction(3, "red", label_review="accepted")
    assert told([outside]) is None


def test_where_people_judged_everything_it_is_what_they_found():
    rows = [
        judged(1, "red"), judged(2, "blue"), judged(3, "blue", "blue", before="red"),
        judged(4, "red", "blue", before="red"), judged(5, "green", review="rejected"),
        judged(6, "red", review="disputed"),
    ]  # fmt: skip
    found = told(rows)
    assert found.mean == pytest.approx(2 / 4)
    assert found.labels_mean == pytest.approx(3 / 6)
    assert (found.judged, found.rows) == (6, 6)
    assert (found.errors, found.model_right, found.no_right_answer) == (3, 1, 1)
    assert "50.0 % are given" in found.note()
    assert "Of 3 errors among those pairs 2 are the label's: 1 answers were right" in found.note()


def test_labels_of_the_other_rows_make_the_interval_narrower():
    dice = np.random.default_rng(1)
    n = 4_000
    right = dice.random(n) < 0.7
    wrong_label = dice.random(n) < 0.1
    matches = right & ~wrong_label
    drawn = np.arange(n) < 200
    valid = np.ones(n, dtype=bool)
    units = np.arange(n)
    alone = estimated(units, matches, drawn, valid, right, uses_all_rows=False)
    powered = estimated(units, matches, drawn, valid, right, uses_all_rows=True)
    assert alone.weight == 0
    assert alone.mean == pytest.approx(right[:200].mean())
    assert 0.5 < powered.weight <= 1
    width = {name: each.ci95[1] - each.ci95[0] for name, each in (("a", alone), ("p", powered))}
    assert width["p"] < 0.75 * width["a"]
    # Independent rows and few of them judged: what the paper's own formula gives.
    rectifier = right[:200] - powered.weight * matches[:200]
    error = np.sqrt(rectifier.var() / 200 + (powered.weight * matches).var() / n)
    assert width["p"] == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_a_sample_without_its_rejected_pairs_is_counted_alone():
    marks = {"label_review": "accepted", "label_sample": "without rejected"}
    rows = [prediction(n, "red" if n % 4 else "blue", **marks) for n in range(40)]
    rows += [prediction(100 + n, "blue") for n in range(1_000)]
    found = told(rows)
    assert (found.mean, found.weight) == (pytest.approx(0.75), 0.0)
    assert found.labels_mean < 0.1


def test_a_sample_that_is_all_alike_has_no_interval_of_one_point():
    wrong = [judged(n, "blue") for n in range(22)]
    rest = [prediction(100 + n, "red" if n % 2 else "blue") for n in range(400)]
    # Wilson's interval of 0 of 22.
    assert told(wrong).ci95 == (0.0, pytest.approx(0.1487, abs=1e-4))
    right = [judged(n, "red") for n in range(22)]
    assert told(right).ci95 == (pytest.approx(1 - 0.1487, abs=1e-4), 1.0)
    for sample, share in ((wrong, 0), (right, 1)):
        low, high = told(sample + rest).ci95
        assert low <= share <= high
        assert high - low >= 0.14


@pytest.mark.parametrize(
    ("accuracy", "noise", "judged_rows"),
    [(0.02, 0.1, 22), (0.95, 0.01, 22), (0.5, 0.1, 22), (0.75, 0.03, 60), (0.95, 0.03, 60)],
)
def test_few_judgements_make_no_interval_that_is_too_narrow(accuracy, noise, judged_rows):
    """The linearised interval alone holds the truth in 18 to 88 of 100 draws of these."""
    dice, rows, draws = np.random.default_rng(5), 1_000, 100
    units, valid = np.arange(rows), np.ones(rows, dtype=bool)
    covered = {True: 0, False: 0}
    for _ in range(draws):
        right, is_noisy = dice.random(rows) < accuracy, dice.random(rows) < noise
        matches = np.where(is_noisy, ~right & (dice.random(rows) < 0.3), right)
        drawn = units < judged_rows
        for uses_all in covered:
            low, high = estimated(units, matches, drawn, valid, right, uses_all_rows=uses_all).ci95
            covered[uses_all] += low <= accuracy <= high
    assert min(covered.values()) >= 0.9 * draws, covered


def test_one_picture_has_no_interval():
    rows = [judged(1, "red"), judged(1, "blue")]
    assert told(rows).ci95 is None


def test_the_scorecard_keeps_it_and_no_metric_counts_rejected_pairs(tmp_path):
    rows = [judged(n, "red" if n % 3 else "blue") for n in range(30)]
    rows += [judged(100 + n, "red", review="rejected") for n in range(6)]
    scorecard, columns = score_predictions(
        rows, metrics=[METRICS["exact_match"]], text_models={}, train_pairs=None, provenance={}
    )
    assert scorecard.scores.metrics["exact_match"].n == 30
    assert np.isnan(columns["exact_match"][30:]).all()
    assert scorecard.right_labels == told(rows)
    write_scorecard(scorecard, tmp_path / "s.json")
    assert read_scorecard(tmp_path / "s.json") == scorecard


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_predictions_on_disk_keep_what_people_said(tmp_path, suffix):
    rows = [judged(n, "red" if n % 3 else "blue") for n in range(12)]
    rows += [judged(20, "blue", "blue", before="red"), prediction(21, "red")]
    path = tmp_path / f"p{suffix}"
    write_predictions(rows, path, {})
    assert told(read_predictions(path)) == told(rows)
    ended = subprocess.run(
        [sys.executable, "-m", "evaluator", "score", str(path), "--metrics", "exact_match"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "as 13 pairs that people judged tell them" in " ".join(ended.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(("images", "judged_rows"), [(300, 200), (120, 400)])
def test_the_interval_covers_the_truth_as_often_as_it_says(images, judged_rows):
    """easy-VQA's questions, a model and labels with errors of their own by picture, 1,000 draws."""
    easy_vqa = pytest.importorskip("easy_vqa", reason="needs easy-vqa")
    _, _, image_ids = easy_vqa.get_test_questions()
    sizes = np.bincount(image_ids)
    dice = np.random.default_rng(7)
    # Pictures differ in how hard they are, for the model and for who labelled them.
    hardness = dice.beta(2, 2, len(sizes))
    accuracy = np.clip(ACCURACY + 0.5 * (0.5 - hardness), 0, 1)
    noise = np.clip(NOISE + 0.3 * (hardness - 0.5), 0, 1)
    truth = (sizes * accuracy).sum() / sizes.sum()
    answers = len(easy_vqa.get_answers())
    covered, widths = {True: 0, False: 0}, {True: 0.0, False: 0.0}
    for _ in range(EASY_VQA_DRAWS):
        chosen = dice.integers(len(sizes), size=images)
        units = np.repeat(np.arange(images), sizes[chosen])
        accuracy_N, noise_N = accuracy[chosen][units], noise[chosen][units]
        right = dice.random(len(units)) < accuracy_N
        valid = dice.random(len(units)) >= INVALID
        is_noisy = dice.random(len(units)) < noise_N
        # A wrong label is now and then what the model says, too.
        matches = np.where(is_noisy, ~right & (dice.random(len(units)) < 1 / answers), right)
        matches = np.where(valid, matches, dice.random(len(units)) < 0.3)
        drawn = np.zeros(len(units), dtype=bool)
        drawn[dice.permutation(len(units))[:judged_rows]] = True
        for uses_all in (True, False):
            found = estimated(units, matches, drawn, valid, right, uses_all_rows=uses_all)
            low, high = found.ci95
            covered[uses_all] += low <= truth <= high
            widths[uses_all] += high - low
    shares = {name: count / EASY_VQA_DRAWS for name, count in covered.items()}
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares
    assert widths[True] < 0.95 * widths[False]
