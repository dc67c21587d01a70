"""`trainer quantize`: one folder within the budget that every command takes, and that resumes."""

import json
from dataclasses import replace

import pytest
import torch

from shared.errors import InputError, StoppedForNow
from shared.images.decoding import open_image
from shared.program.cli import run_program
from shared.vqa.adapting.adapter_files import TRAINING_RECORD
from shared.vqa.families import load_answerer
from shared.vqa.packed.layers import PackedEmbedding, PackedLinear
from shared.vqa.packed.record import PACKED_FILE, WEIGHTS, packed_record, write_packed_record
from shared.vqa.quantization import Quantization
from tests.models import SHAPE, save_packed_model, save_tiny_adapter, save_tiny_model
from tests.trainer.recipes import fit_settings, write_data
from trainer.__main__ import app
from trainer.api import fit, quantize
from trainer.fitting.record import RunRecord, write_record
from trainer.merging.merge import merge
from trainer.quantizing.measuring.measured import MEASURED_FILE, Measured

BITS = "3.5"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def run(*words) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["quantize", *map(str, words)])
    return leaving.value.code


def words(model, data, out, *more):
    few = ["--questions", 4, "--check-questions", 6, *more]
    rows = next(path for path in sorted(data.iterdir()) if path.suffix in {".csv", ".jsonl"})
    return [model, "--data", rows, "--images", data / "images", "--out", out, *few]


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    shape = SHAPE.model_copy(update={"vision_layers": 1, "question_layers": 1})
    return save_tiny_model(tmp_path_factory.mktemp("small") / "model", shape=shape)


@pytest.fixture(scope="module")
def made(tmp_path_factory, data, small_model):
    out = tmp_path_factory.mktemp("quantized") / "model"
    assert run(*words(small_model, data, out, "--bits", BITS)) == 0
    return out


@pytest.mark.slow
def test_the_folder_is_within_the_budget_and_says_what_each_size_keeps(made, data, small_model):
    told = json.loads((made / "sizes.json").read_text(encoding="utf-8"))
    chosen, *_, exact = told["sizes"]
    assert chosen["bits"] <= float(BITS)
    assert (made / "model.safetensors").stat().st_size <= chosen["bytes"] < exact["bytes"]
    assert exact["same"]["share"] == 1
    names = {row["name"] for row in told["sizes"]}
    assert {"nearest 3", "hqq 2", "gptq 4", "nf4", "int8", told["knee"]} <= names
    assert "| chosen |" in (made / "README.md").read_text(encoding="utf-8")
    assert (made / "sizes.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.slow
def test_it_answers_packed_as_it_does_unpacked_and_as_it_was_measured(made, data):
    packed = load_answerer(str(made), device=torch.device("cpu"))
    assert packed.model.quantization is Quantization.PACKED
    kinds = {type(layer) for layer in packed.model.network.modules()}
    assert {PackedLinear, PackedEmbedding} <= kinds
    plain = load_answerer(str(made), quantization=Quantization.NONE, device=torch.device("cpu"))
    assert not {PackedLinear, PackedEmbedding} & {type(m) for m in plain.model.network.modules()}
    image = open_image(min((data / "images").rglob("*.*")))
    questions = ["what color is it", "what shape is it"]
    said = []
    for answerer in (packed, plain):
        memory = answerer.remember([answerer.prepare(image)])
        said.append(answerer.answer(memory, [0, 0], questions))
    assert [a.text for a in said[0]] == [a.text for a in said[1]]
    assert said[0][0].confidence == pytest.approx(said[1][0].confidence, rel=1e-4)


@pytest.mark.slow
def test_an_adapter_is_trained_on_it_from_what_was_rounded_off(made, data, tmp_path):
    lora = {"rank": 4, "alpha": 8, "start": "loftq"}
    settings = fit_settings(made, data, out=str(tmp_path / "adapter"), quantize="nf4")
    fit({**settings, "lora": {**settings["lora"], **lora}, "epochs": 1})
    record = json.loads((tmp_path / "adapter" / TRAINING_RECORD).read_text(encoding="utf-8"))
    assert record["quantization"] == "packed"
    merged = merge(tmp_path / "adapter", tmp_path / "merged")
    weights = [(each / WEIGHTS).stat().st_size for each in (tmp_path / "merged", made)]
    assert [merged.weights_bytes, merged.unpacked_from_bytes] == weights
    assert weights[0] > weights[1]
    assert "merged at the base's size" in merged.sentence()


@pytest.mark.slow
def test_a_packed_table_gets_no_update(made, data, tmp_path):
    lora = {"rank": 4, "alpha": 8, "targets": ["query", "word_embeddings"]}
    settings = fit_settings(made, data, out=str(tmp_path), quantize="nf4", lora=lora)
    with pytest.raises(InputError, match="a PackedEmbedding, which cannot have an update"):
        fit(settings)


@pytest.mark.slow
def test_given_again_nothing_is_measured_anew(made, data, small_model, tmp_path):
    before = (made / MEASURED_FILE).read_bytes()
    plan = (made / PACKED_FILE).read_bytes()
    assert run(*words(small_model, data, made, "--bits", BITS)) == 0
    assert (made / MEASURED_FILE).read_bytes() == before
    assert (made / PACKED_FILE).read_bytes() == plan


def test_what_a_kill_broke_off_is_measured_again(tmp_path):
    path = tmp_path / MEASURED_FILE
    known = Measured(path, "of a model")
    assert known.of("a 2", lambda: 1.5) == 1.5
    assert known.of("a 3", lambda: 2.5) == 2.5
    path.write_bytes(path.read_bytes()[:-4])
    again = Measured(path, "of a model")
    assert ("a 2" in again, "a 3" in again) == (True, False)
    again.of("a 3", lambda: 3.5)
    assert Measured(path, "of a model").of("a 3", dict) == 3.5
    with pytest.raises(InputError, match="another model or other questions"):
        Measured(path, "of another")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "give --budget-mb or --bits, and not both"),
        (["--bits", "3", "--budget-mb", "1"], "give --budget-mb or --bits, and not both"),
        (["--budget-mb", "0.01"], "in the fewest bits; give more"),
        (["--bits", "1"], "in the fewest bits; give more"),
    ],
)
def test_bad_input_is_one_line(small_model, data, tmp_path, capsys, more, said):
    assert run(*words(small_model, data, tmp_path / "out", *more)) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert said in last
    assert not (tmp_path / "out").exists()


def test_what_is_packed_is_not_packed_again(small_model, data, tmp_path, capsys):
    packed = save_packed_model(tmp_path / "packed", small_model, Quantization.HQQ4)
    assert run(*words(packed, data, tmp_path / "out", "--bits", BITS)) == 2
    assert f"rounded twice; give {small_model}, which it was made of" in capsys.readouterr().err
    of_no_other = replace(packed_record(packed), base="")
    write_packed_record(of_no_other, packed)
    assert run(*words(packed, data, tmp_path / "out", "--bits", BITS)) == 2
    assert "an adapter is merged into it, so give the model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_adapter_of_a_packed_base_is_refused_with_a_way_out(small_model, data, tmp_path, capsys):
    adapter = save_tiny_adapter(tmp_path / "adapter", small_model)
    run_of = RunRecord("", "packed", "", "packed", "zero", "images", 1, 0.0, 0.0, 1)
    write_record(run_of, adapter)
    more = ["--bits", BITS, "--adapter", adapter]
    assert run(*words(small_model, data, tmp_path / "out", *more)) == 2
    said = capsys.readouterr().err
    assert "was trained on a packed base (packed), and makes up for" in said
    assert "`trainer merge`" in said
    assert not (tmp_path / "out").exists()


def test_damage_is_named(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / PACKED_FILE).write_text('{"version": 1, "parts": [{"names": []}]}', encoding="utf-8")
    with pytest.raises(InputError, match="not a record of packed weights"):
        packed_record(broken)


def test_an_interrupted_call_says_that_it_goes_on_and_keeps_what_was_measured(
    tmp_path, data, small_model, monkeypatch
):
    """Raised where a signal would be; one to the process itself may reach torch within C++."""
    out = tmp_path / "model"
    rows = next(path for path in sorted(data.iterdir()) if path.suffix in {".csv", ".jsonl"})
    asked = {"data": rows, "images": data / "images", "questions": 4, "check_questions": 6}

    def interrupted(*_: object, **__: object) -> None:
        assert (out / MEASURED_FILE).exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.quantizing.quantize.write_packed_network", interrupted)
    with pytest.raises(StoppedForNow, match="the same call goes on") as stopped:
        quantize(str(small_model), out, bits=3.5, **asked)
    assert stopped.value.__suppress_context__
    assert [path.name for path in out.iterdir() if path.suffix != ".lock"] == [MEASURED_FILE]
