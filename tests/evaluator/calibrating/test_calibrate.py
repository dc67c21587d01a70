"""`evaluator calibrate`: temperature and threshold, fitted on one run and checked on another."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.__main__ import app
from evaluator.answering.messages import ModelFacts
from evaluator.answering.sureness import Sureness, chance_at, read_sureness, sure_cells
from evaluator.calibrating.checking import checked, fitted, require_other_data
from evaluator.calibrating.fitting import chances, fit_temperature, threshold_for_accuracy
from evaluator.metrics.registry import METRICS
from evaluator.scoring.coverage import COVERAGES, Surest, accuracy_at
from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.program.cli import run_program
from shared.vqa.inputs.instruction import NO_INSTRUCTION, Instruction
from tests.evaluator.predictions import predicted
from tests.evaluator.run_folders import make_run

OVERSURE = 2.5
"""The temperature at which the made-up answers were given."""


def evaluator(*arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(argument) for argument in arguments])
    return leaving.value.code


def made_up(seed, images, start=0):
    """Return answers that are right with a chance, and say a confidence that is too sure."""
    generator = np.random.default_rng(seed)
    rows = []
    for image in range(start, start + images):
        for question in ("what", "why"):
            logit = generator.normal(1, 1.5)
            right = generator.random() < 1 / (1 + np.exp(-logit))
            said = 1 / (1 + np.exp(-logit * OVERSURE))
            row = predicted(
                "red" if right else "no", "red", image=f"{image}.png", question=question
            )
            rows.append(replace(row, confidence=float(said)))
    return rows


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sure")
    return [
        make_run(folder / "validation", made_up(1, 1500), train=None, model="m"),
        make_run(folder / "test", made_up(2, 1500, start=1500), train=None, model="m"),
    ]


def surest(rows):
    return Surest.of(rows, [row.pair.filename for row in rows])


def test_the_temperature_is_the_one_that_the_answers_were_given_at():
    assert fit_temperature(surest(made_up(3, 4000))) == pytest.approx(OVERSURE, rel=0.1)


def test_chances_are_calibrated_on_other_pictures(runs):
    sureness = fitted(runs[0], accuracy=0.9, coverage=None)
    found = checked(sureness, runs[1])
    assert found.ece[1] < 0.03 < found.ece[0]
    assert found.log_loss[1] < found.log_loss[0]
    low, high = found.accuracy_ci95
    assert low <= 0.9 <= high
    assert found.coverage_ci95[0] < found.coverage < found.coverage_ci95[1]


def test_the_threshold_is_the_least_that_reaches_the_accuracy():
    of = surest(made_up(4, 300))
    threshold = threshold_for_accuracy(of, 1.0, 0.9)
    chance_N = chances(of.confidence_N, 1.0)
    reached = [of.right_N[chance_N >= t].mean() for t in chance_N[20:]]
    best = max(k for k, accuracy in enumerate(reached) if accuracy >= 0.9)
    assert threshold == chance_N[20 + best]


@pytest.mark.parametrize("coverage", [0.25, 0.8])
def test_a_wanted_coverage_is_reached(runs, coverage):
    found = checked(fitted(runs[0], accuracy=None, coverage=coverage), runs[0])
    assert found.coverage == pytest.approx(coverage, abs=1e-3)


def test_accuracy_at_a_coverage_is_that_of_the_surest_answers():
    rows = made_up(5, 200)
    order = sorted(rows, key=lambda row: -row.confidence)
    for found in accuracy_at(surest(rows)):
        some = order[: int(found.coverage * len(rows))]
        assert found.n == len(some)
        assert found.accuracy == np.mean([row.answer == "red" for row in some])
        assert found.ci95[0] < found.accuracy < found.ci95[1]


def test_the_interval_at_a_coverage_holds_its_level():
    generator = np.random.default_rng(0)
    # Right with the chance of a uniform confidence: of the surest half, 3 in 4.
    hits = 0
    for _ in range(100):
        sure = generator.random(120)
        right = generator.random(120) < sure
        order = np.argsort(-sure)
        of = Surest(sure[order], right[order].astype(float), np.arange(120))
        low, high = accuracy_at(of, [0.5])[0].ci95
        hits += low <= 0.75 <= high
    assert 0.87 <= hits / 100 <= 1


def test_answers_without_a_confidence_are_the_least_sure_and_never_sure():
    rows = [*made_up(6, 20), replace(predicted("", "red", broken=True), confidence=None)]
    assert surest(rows).confidence_N[-1] == -1
    assert Surest.of([replace(row, confidence=None) for row in rows], ["a"] * 41) is None
    assert sure_cells(Sureness(1.0, 0.0), None) == {"chance": None, "sure": False}


def test_a_file_is_written_and_bound_to_its_model(runs, tmp_path, capsys):
    out = tmp_path / "sure.json"
    paths = [tmp_path / name for name in ("validation", "test")]
    for path, run in zip(paths, runs, strict=True):
        make_run(path, run.predictions, train=None)
        card = read_json(path / "scorecard.json")
        card["provenance"] |= {"revision": "abc", "quantization": "nf4", "adapter_sha256": None}
        write_json(card, path / "scorecard.json")
    assert (
        evaluator("calibrate", paths[0], "--check", paths[1], "--accuracy", 0.9, "--out", out) == 0
    )
    said = capsys.readouterr().out
    assert "the wanted 90 % lie within the interval" in " ".join(said.split())
    sureness = read_sureness(out)
    assert sureness.model == {
        "revision": "abc",
        "quantization": "nf4",
        "adapter_sha256": "",
        "prompt": "",
    }
    assert read_json(out)["check"]["at_coverage"][0]["coverage"] == COVERAGES[0]
    facts = ModelFacts("m", "abc", "nf4", "", "cpu", "float32")
    sureness.require_model(out, facts, NO_INSTRUCTION)
    with pytest.raises(InputError, match=r"another model \(adapter_sha256 none, now 12ab\)"):
        sureness.require_model(out, replace(facts, adapter_sha256="12ab"), NO_INSTRUCTION)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "give either --accuracy or --coverage"),
        (["--accuracy", 0.9, "--coverage", 0.5], "give either --accuracy or --coverage"),
        (["--accuracy", 0.999], "answers are right in"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(tmp_path, capsys, options, told):
    for name, seed, start in (("a", 1, 0), ("b", 2, 30)):
        make_run(tmp_path / name, made_up(seed, 30, start), train=None)
    out = tmp_path / "sure.json"
    words = ["calibrate", tmp_path / "a", "--check", tmp_path / "b", "--out", out]
    assert evaluator(*words, *options) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert told in line
    assert not out.exists()


def test_a_check_on_the_same_pictures_or_another_model_is_refused(runs, tmp_path):
    with pytest.raises(InputError, match=r"share 1,500 pictures, such as 0\.png"):
        require_other_data(runs[0], runs[0])
    facts = {"revision": "abc", "quantization": "nf4"}
    known, other = (
        replace(run, scorecard=replace(run.scorecard, provenance={**facts, "prompt": prompt}))
        for run, prompt in zip(runs, ("", "{question}!"), strict=True)
    )
    with pytest.raises(InputError, match=r"different models \(prompt differ\)"):
        require_other_data(known, other)
    silent = make_run(tmp_path / "silent", [predicted("red", "red")], train=None)
    with pytest.raises(InputError, match=r"no confidences"):
        fitted(silent, 0.9, None)


def test_behind_an_address_a_model_goes_by_its_name(runs, tmp_path):
    asked = {"service": "openai", "revision": "", "prompt": "{question}"}
    one, other = (
        replace(run, scorecard=replace(run.scorecard, provenance={**asked, "model": model}))
        for run, model in zip(runs, ("vlm", "other"), strict=True)
    )
    with pytest.raises(InputError, match=r"different models \(model differ\)"):
        require_other_data(one, other)
    sureness = fitted(one, None, 0.5)
    facts = ModelFacts("vlm", "", "", "", "openai endpoint", "")
    sureness.require_model(tmp_path / "sure.json", facts, Instruction("{question}"))
    elsewhere = replace(facts, model="other")
    with pytest.raises(InputError, match=r"another model \(model vlm, now other\)"):
        sureness.require_model(tmp_path / "sure.json", elsewhere, Instruction("{question}"))


def test_answers_that_are_too_few_or_have_no_chances_are_not_fitted(tmp_path):
    few = make_run(tmp_path / "few", made_up(1, 5), train=None)
    with pytest.raises(InputError, match=r"few: 10 answers say too little to fit on"):
        fitted(few, 0.5, None)
    percent = [replace(row, confidence=100 * row.confidence) for row in made_up(1, 20)]
    with pytest.raises(InputError, match=r"percent: a confidence of .* is no chance from 0 to 1"):
        fitted(make_run(tmp_path / "percent", percent, train=None), 0.5, None)


def test_confidences_that_are_all_alike_are_told(tmp_path, capsys):
    for name, start in (("a", 0), ("b", 20)):
        rows = [replace(row, confidence=0.7) for row in made_up(1, 20, start)]
        make_run(tmp_path / name, rows, train=None)
    words = ["calibrate", tmp_path / "a", "--check", tmp_path / "b", "--coverage", 0.5]
    assert evaluator(*words, "--out", tmp_path / "sure.json") == 0
    assert "More than the wanted 50% are sure" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 1, "temperature": 0, "threshold": 1}'])
def test_another_file_is_no_sureness(tmp_path, text):
    path = tmp_path / "sure.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        read_sureness(path)


def test_a_chance_rises_with_the_confidence_and_one_half_stays():
    assert chance_at(0.5, 3.0) == pytest.approx(0.5)
    assert chance_at(0.9, 2.0) < 0.9 < chance_at(0.9, 0.5)
    assert 0 < chance_at(0.0, 1.0) < chance_at(1.0, 1.0) < 1


def test_a_judge_may_say_what_is_right_and_what_it_leaves_unsaid_does_not_count(runs):
    plain = runs[0]
    right_N = plain.columns["exact_match"].copy()
    judged = replace(plain, columns={**plain.columns, "judge": right_N})
    assert fitted(judged, 0.9, None, METRICS["judge"]) == fitted(plain, 0.9, None)
    right_N[::3] = np.nan
    assert checked(fitted(judged, 0.9, None), judged, METRICS["judge"]).n == 2000
    with pytest.raises(InputError, match="was not scored by it"):
        fitted(plain, 0.9, None, METRICS["judge"])
    with pytest.raises(InputError, match="tells no right answers from wrong ones"):
        fitted(replace(plain, columns={"csns": right_N / 2}), 0.9, None, METRICS["csns"])


def test_a_scored_file_is_bound_to_the_model_of_the_run_that_it_is_checked_on(runs, tmp_path):
    facts = {"revision": "abc", "quantization": "nf4", "prompt": "{question}"}
    known = replace(runs[1], scorecard=replace(runs[1].scorecard, provenance=facts))
    assert fitted(runs[0], None, 0.5, check=runs[1]).model == {}
    sureness = fitted(runs[0], None, 0.5, check=known)
    assert sureness.model["revision"] == "abc"
    other = ModelFacts("m", "abd", "nf4", "", "", "")
    with pytest.raises(InputError, match=r"another model \(revision abc, now abd\)"):
        sureness.require_model(tmp_path / "sure.json", other, Instruction("{question}"))
