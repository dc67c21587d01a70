"""`trainer fit`, `merge` and `fuse` of ViLT and BLIP-2, from recipe to a scored adapter."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from safetensors.torch import load_file

from shared.corpus import read_pairs, write_pairs
from shared.errors import AdapterNotApplied, InputError, StoppedForNow
from shared.program.cli import run_program
from shared.program.settings import validated
from shared.program.stopping import StopSignal
from shared.vqa.adapting.adapter_files import ADAPTER_WEIGHTS, ADDED_LABELS
from shared.vqa.families import load_answerer
from shared.vqa.quantization import Quantization
from tests.trainer.learners.families import SAVED, TARGETS, load_learner
from tests.trainer.recipes import fit_settings, write_data, write_recipe
from trainer.__main__ import app
from trainer.data.heldout import held_out_exact_match, seen_anew
from trainer.fitting.fit import fit
from trainer.merging.fuse import fuse
from trainer.merging.fusion import Fusion
from trainer.merging.merge import ADAPTER, MERGED, merge
from trainer.recipe.recipe import FitRecipe

AUTO = {"rank": 8, "alpha": 16, "dropout": 0.0}
RUN = {"epochs": 2, "warmup_min_steps": 0, "learning_rate": 1e-2, "accumulation": 1, "lora": AUTO}
UNKNOWN = "a turquoise rhombus"


def run_fit(*words) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["fit", *map(str, words)])
    return leaving.value.code


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, 15)
    return folder


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """Data in which ViLT's labels lack the name of every circle."""
    folder = tmp_path_factory.mktemp("strange")
    pairs = write_data(folder, 15)
    named = [replace(pair, answer=pair.answer.replace("circle", UNKNOWN)) for pair in pairs]
    write_pairs(named, folder / "pairs.jsonl")
    return folder


def fitted(base, folder, out, **changes):
    settings = fit_settings(base, folder, out=str(out), **(RUN | changes))
    return fit(validated(FitRecipe, settings, source="test"), resume=False)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(SAVED))
def test_what_fit_scores_is_what_evaluation_scores(folders, data, tmp_path, capsys, name):
    out = tmp_path / "adapter"
    wide = {"rank": 16, "alpha": 32, "dropout": 0.0, "targets": list(TARGETS[name])}
    longer = RUN | {"epochs": 30, "learning_rate": 4e-3, "lora": wide, "quantize": "nf4"}
    settings = fit_settings(folders[name], data, out=str(out), **longer)
    recipe = write_recipe(tmp_path / "recipe.toml", settings)
    assert run_fit(recipe, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["exact_match"] > printed["base_exact_match"]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"is a {'ViLT' if name == 'vilt' else 'BLIP-2'}" in card

    command = [
        *(sys.executable, "-m", "evaluator", "run"),
        *("--data", out / "dataset", "--split", "validation", "--images", data / "images"),
        *("--model", folders[name], "--adapter", out, "--metrics", "exact_match"),
        *("--shuffle-sample", "0", "--out", tmp_path / "run", "--json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    scorecard = json.loads(done.stdout)
    assert scorecard["metrics"]["exact_match"]["mean"] == pytest.approx(printed["exact_match"])


@pytest.mark.parametrize("name", ["vilt", pytest.param("blip2-opt", marks=pytest.mark.slow)])
def test_merged_weights_answer_as_base_and_adapter(folders, data, tmp_path, name):
    adapter = fitted(folders[name], data, tmp_path / "adapter").adapter
    result = merge(adapter, tmp_path / "merged")
    assert abs(result.exact_match[MERGED] - result.exact_match[ADAPTER]) <= 1 / 6
    both, plain = load_learner(folders[name], adapter=adapter), load_learner(result.folder)
    assert not any("lora" in part for part, _ in plain.model.network.named_parameters())
    pairs = read_pairs(data / "pairs.jsonl")
    scores = [
        held_out_exact_match(model.answerer, seen_anew(model.answerer, data / "images"), pairs, 16)
        for model in (both, plain)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.1)


@pytest.mark.slow
def test_adapters_of_vilt_are_fused(folders, data, tmp_path):
    adapters = [
        fitted(folders["vilt"], data, tmp_path / name, seed=seed).adapter
        for seed, name in enumerate(("chairs", "lamps"))
    ]
    fuse(adapters, tmp_path / "both", method=Fusion.LINEAR)
    assert load_learner(folders["vilt"], adapter=tmp_path / "both").model.adapter_sha256


def test_answers_that_are_no_label_are_left_out_and_counted(folders, strange, tmp_path, capsys):
    result = fitted(folders["vilt"], strange, tmp_path / "adapter", epochs=1)
    printed = "".join(capsys.readouterr())
    pairs = read_pairs(strange / "pairs.jsonl")
    unknown = [pair for pair in pairs if pair.answer == UNKNOWN]
    trained = sum(pair.split == "train" for pair in unknown)
    assert trained
    assert f"training_pairs_left_out={trained}" in printed
    card = (result.adapter / "README.md").read_text(encoding="utf-8")
    assert f"{trained} training questions were left out" in card
    assert not (result.adapter / ADDED_LABELS).exists()


def test_where_no_answer_is_a_label_the_way_out_is_named(folders, strange, tmp_path):
    pairs = [pair for pair in read_pairs(strange / "pairs.jsonl") if pair.answer == UNKNOWN]
    write_pairs(
        [replace(pair, split=("train", "validation")[at % 2]) for at, pair in enumerate(pairs)],
        tmp_path / "pairs.jsonl",
    )
    with pytest.raises(InputError, match=r'set answers = "extend"'):
        fitted(
            folders["vilt"],
            strange,
            tmp_path / "adapter",
            data=str(tmp_path / "pairs.jsonl"),
            allow_leaks=True,
        )
    assert not (tmp_path / "adapter").exists()


@pytest.mark.parametrize("quantize", ["none", pytest.param("nf4", marks=pytest.mark.slow)])
def test_added_answers_are_learned_kept_and_loaded_again(folders, strange, tmp_path, quantize):
    result = fitted(
        folders["vilt"],
        strange,
        tmp_path / "adapter",
        answers="extend",
        quantize=quantize,
        epochs=24,
    )
    held = Quantization(quantize)
    answerer = load_learner(folders["vilt"], held, result.adapter).answerer
    bare = load_learner(folders["vilt"], held).answerer
    pairs = [pair for pair in read_pairs(strange / "pairs.jsonl") if pair.split == "train"]
    circles = [pair for pair in pairs if pair.answer == UNKNOWN]
    look, look_bare = (seen_anew(answering, strange / "images") for answering in (answerer, bare))
    assert held_out_exact_match(answerer, look, circles, 16) > 0.5

    def said(answering, memories):
        names = list(dict.fromkeys(pair.filename for pair in pairs))
        asked = [names.index(pair.filename) for pair in pairs]
        # The base is asked as the adapter is: with the mark that its training questions had.
        questions = answerer.model.folded([pair.question for pair in pairs])
        return [answer.text for answer in answering.answer(memories(names), asked, questions)]

    # Without the adapter the base answers as it always did.
    with answerer.model.peft.disable_adapter():
        assert said(answerer, look) == said(bare, look_bare)


def test_an_adapter_with_answers_of_its_own_is_merged_but_not_fused(folders, strange, tmp_path):
    adapters = [
        fitted(folders["vilt"], strange, tmp_path / name, answers="extend", epochs=1).adapter
        for name in ("chairs", "lamps")
    ]
    with pytest.raises(InputError, match="has answers of its own"):
        fuse(adapters, tmp_path / "both", method=Fusion.LINEAR)
    assert not (tmp_path / "both").exists()
    merged = merge(adapters[0], tmp_path / "merged").folder
    plain = load_answerer(str(merged), quantization=Quantization.NONE)
    assert UNKNOWN in plain.model.network.config.id2label.values()
    labels = plain.model.network.classifier[-1].out_features
    assert labels == len(plain.model.network.config.id2label)


@pytest.mark.parametrize(
    ("name", "answers"), [("vilt", "extend"), ("blip2-opt", "base"), ("blip2-t5", "base")]
)
def test_a_stopped_run_goes_on_and_ends_as_if_it_had_not_been(
    folders, strange, tmp_path, name, answers
):
    dropping = RUN | {"lora": {"rank": 4, "alpha": 8, "dropout": 0.2}, "answers": answers}

    def recipe(out):
        settings = fit_settings(folders[name], strange, out=str(tmp_path / out), **dropping)
        return validated(FitRecipe, settings, source="test")

    stop = StopSignal()
    stop.request("stopped by SIGTERM")
    with pytest.raises(StoppedForNow):
        fit(recipe("stopped"), resume=False, stop=stop)
    resumed, whole = fit(recipe("stopped"), resume=True), fit(recipe("whole"), resume=False)
    assert resumed.resumed_at_step == 1
    ours, theirs = (load_file(result.adapter / ADAPTER_WEIGHTS) for result in (resumed, whole))
    assert ours.keys() == theirs.keys()
    for part, weight in ours.items():
        assert weight.equal(theirs[part]), part


def test_labels_of_an_adapter_that_are_missing_are_an_error(folders, strange, tmp_path):
    adapter = fitted(
        folders["vilt"], strange, tmp_path / "adapter", answers="extend", epochs=1
    ).adapter
    (adapter / ADDED_LABELS).unlink()
    with pytest.raises(AdapterNotApplied, match="does not fit the base"):
        load_learner(folders["vilt"], adapter=adapter)


def test_labels_are_added_to_classifiers_alone(folders, data, tmp_path):
    with pytest.raises(InputError, match="BLIP-2 generates its answers"):
        fitted(folders["blip2-opt"], data, tmp_path / "adapter", answers="extend")
