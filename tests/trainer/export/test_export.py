"""`trainer export` on the command line: checked, whole, or one line and nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shared.dataset.training_images import TRAINING_IMAGES
from shared.onnx_vqa import MANIFEST
from shared.program.cli import run_program
from shared.program.settings import validated
from shared.vqa.trained_on import known_training
from tests.families import SAVED
from tests.places import files_that_name
from tests.trainer.recipes import fit_settings, write_data
from trainer.__main__ import app
from trainer.export.bundle import bytes_in
from trainer.export.checking import AnswersDiffer, CheckedQuestions, require_equal
from trainer.export.measure import Measurement
from trainer.export.targets import Target
from trainer.export.variants import Variant
from trainer.fitting.fit import fit
from trainer.recipe.recipe import FitRecipe

pytestmark = pytest.mark.xdist_group("export")  # its graphs are made once

ROOT = Path(__file__).parents[3]
ABO = ROOT / "../shared/abo"


def run_export(*words) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["export", *map(str, words)])
    return leaving.value.code


def test_one_answer_that_differs_is_an_error(pictures):
    folder, pairs = pictures
    questions = CheckedQuestions(tuple(pairs[:2]), folder, "test")
    wanted = Measurement(("red", "circle"), 1.0, 1.0, 1.0)
    require_equal(wanted, wanted, questions)
    with pytest.raises(AnswersDiffer, match=r"1 of 2 .* 'square' instead of 'circle'"):
        require_equal(replace(wanted, answers=("red", "square")), wanted, questions)


def test_what_cannot_be_exported_is_one_line_and_writes_nothing(
    tmp_path, original, tiny_adapter, tmp_path_factory, capsys
):
    others = {
        name: SAVED[name](tmp_path_factory.mktemp(name) / "model")
        for name in ("vilt", "git", "blip2-t5")
    }
    capsys.readouterr()
    out = tmp_path / "out"
    (tmp_path / "there").mkdir()
    data = tmp_path_factory.mktemp("data")
    write_data(data)
    questions = ("--data", data / "pairs.jsonl", "--images", data / "images")
    cases = {
        "or --model, and not both": ("--out", out),
        f"give it as --model {original}": (original, "--out", out),
        "run.json is missing": (tiny_adapter, "--out", out),
        "only BLIP, ViLT": ("--model", others["git"], "--out", out, *questions),
        "is an encoder-decoder": ("--model", others["blip2-t5"], "--out", out, *questions),
        "which OpenVINO": (
            *("--to", "openvino"),
            *("--model", others["blip2-t5"], "--out", out, *questions),
        ),
        "the page answers with BLIP": (
            *("--to", "web", "--node-modules", tmp_path),
            *("--model", others["vilt"], "--out", out, *questions),
        ),
        "say with --data and --images": ("--model", original, "--out", out),
        "holds none of the": ("--model", original, "--out", out, *questions[:3], tmp_path),
        "did you mean 'answer'?": (
            "--model",
            original,
            "--out",
            out,
            *questions,
            "--columns",
            "anser=a",
        ),
        "no column 'truth'": (
            "--model",
            original,
            "--out",
            out,
            *questions,
            "--columns",
            "answer=truth",
        ),
        "it has no weights in blocks": (
            *("--to", "tensorrt", "--variant", "int8"),
            *("--model", original, "--out", out, *questions),
        ),
        "--litert-python is for --to litert": (
            *("--litert-python", tmp_path, "--model", original, "--out", out, *questions),
        ),
        "--to litert takes float32 and int8": (
            *("--to", "litert", "--variant", "int4"),
            *("--model", original, "--out", out, *questions),
        ),
        "--node-modules is for --to web": (
            *("--node-modules", tmp_path, "--model", original, "--out", out, *questions),
        ),
        "is there already": ("--model", original, "--out", tmp_path / "there", *questions),
    }
    for reason, words in cases.items():
        assert run_export(*words) == 2
        error = capsys.readouterr().err.strip()
        assert reason in error
        assert "\n" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_the_extra_that_is_missing_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Target, "packages", ("onnx", "not_installed_at_all"))
    assert run_export("--model", "blip-vqa-tiny", "--out", tmp_path / "out") == 2
    assert "not_installed_at_all: pip install 'abo-vqa[onnx]'" in capsys.readouterr().err


@pytest.mark.slow
def test_an_adapter_is_exported_merged_into_its_base(tmp_path, tiny_model, capsys):
    write_data(tmp_path)
    settings = fit_settings(tiny_model, tmp_path, epochs=1, learning_rate=5e-3)
    adapter = fit(validated(FitRecipe, settings, source="test"), resume=False).adapter
    out = tmp_path / "exported"
    capsys.readouterr()
    assert run_export(adapter, "--out", out, "--variant", "int8", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["split"], printed["questions"]) == ("test", 8)
    names = ["original", "float32", "int8"]
    assert [model["name"] for model in printed["models"]] == names
    assert printed["models"][1]["agreement"] == 1
    assert printed["models"][1]["exact_match"] == printed["models"][0]["exact_match"]
    assert printed["bundles"] == [str(out)]
    beside = sum((out / name).stat().st_size for name in ("README.md", TRAINING_IMAGES))
    assert printed["models"][2]["bytes_on_disk"] + beside == bytes_in(out)
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    assert (manifest["variant"], manifest["model"]) == ("int8", tiny_model.name)
    assert not files_that_name(tiny_model, out)
    assert not files_that_name(tmp_path, out)
    assert manifest["adapter_sha256"]
    carried, own = (pq.read_table(folder / TRAINING_IMAGES) for folder in (out, adapter))
    assert carried.num_rows > 0
    assert carried.to_pylist() == own.to_pylist()
    assert len(known_training(str(out)).images.trained_on) == 12
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(("tmp", "."))]


@pytest.mark.slow
@pytest.mark.abo
@pytest.mark.skipif(not ABO.is_dir(), reason="the ABO sample is not in ../shared/abo")
def test_200_real_questions_get_the_same_answers(tmp_path, capsys):
    images = ABO / "images" / "small"
    words = ("--model", "blip-vqa-tiny", "--data", ABO / "vqa.csv", "--images", images)
    out, variants = (
        tmp_path / "out",
        [word for variant in Variant for word in ("--variant", variant)],
    )
    assert run_export(*words, "--out", out, *variants, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["questions"] == 200
    original, *exported = printed["models"]
    assert [model["name"] for model in exported] == [
        path.name for path in map(Path, printed["bundles"])
    ]
    agreement = {model["name"]: model["agreement"] for model in exported}
    # The shipped weights have 16 bits.
    assert agreement["float32"] == agreement["float16"] == 1
    assert min(agreement["int8"], agreement["int4"]) > 0.9
    for model in exported:
        assert abs(model["exact_match"] - original["exact_match"]) < 0.05
        assert model["peak_mib"] < original["peak_mib"] / 2
