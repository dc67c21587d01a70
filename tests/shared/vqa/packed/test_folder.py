"""A folder of packed weights: every command loads it, and holds it so unless told otherwise."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from shared.corpus import write_json
from shared.errors import InputError
from shared.program.reporting.events import set_up_events
from shared.vqa.adapting.adapter_files import TRAINING_RECORD
from shared.vqa.families import load_answerer
from shared.vqa.packed.record import (
    PACKED_FILE,
    WEIGHTS,
    PackedPart,
    PackedRecord,
    packed_record,
    write_packed_record,
)
from shared.vqa.packed.rounding import is_packed
from shared.vqa.quantization import Quantization
from tests.models import QUESTIONS, save_packed_model, save_tiny_adapter

CPU = torch.device("cpu")


def answers(answerer, images):
    memory = answerer.remember([answerer.prepare(image) for image in images])
    return answerer.answer(memory, [0] * len(QUESTIONS), QUESTIONS)


@pytest.fixture(scope="module")
def rounded(tiny_model):
    return load_answerer(str(tiny_model), quantization=Quantization.HQQ3, device=CPU)


@pytest.fixture(scope="module")
def folder(tiny_model, tmp_path_factory):
    made = tmp_path_factory.mktemp("packed")
    return save_packed_model(made, tiny_model, Quantization.HQQ3)


@pytest.mark.parametrize("asked", [Quantization.NF4, Quantization.PACKED, Quantization.NONE])
def test_a_packed_folder_answers_as_the_network_did(rounded, folder, images, asked):
    answerer = load_answerer(str(folder), quantization=asked, device=CPU)
    plain = asked is Quantization.NONE
    assert answerer.model.quantization is (Quantization.NONE if plain else Quantization.PACKED)
    assert is_packed(answerer.model.network) is not plain
    # What is not packed is kept in 16 bits.
    for now, before in zip(answers(answerer, images), answers(rounded, images), strict=True):
        assert now.text == before.text
        assert now.confidence == pytest.approx(before.confidence, rel=2e-2)


def test_another_format_and_what_is_not_packed_are_refused(folder, tiny_model):
    with pytest.raises(InputError, match="is packed already; leave --quantize out"):
        load_answerer(str(folder), quantization=Quantization.INT8)
    with pytest.raises(InputError, match="is not packed; `trainer quantize` makes such"):
        load_answerer(str(tiny_model), quantization=Quantization.PACKED)


def test_unpacked_it_has_the_weights_that_an_adapter_was_trained_on(
    folder, tiny_model, tmp_path, capsys
):
    adapter = save_tiny_adapter(tmp_path / "adapter", tiny_model)
    write_json({"quantization": "packed"}, adapter / TRAINING_RECORD)
    set_up_events()
    for model, warned in ((folder, False), (tiny_model, True)):
        load_answerer(str(model), adapter=adapter, quantization=Quantization.NONE, device=CPU)
        assert ("adapter_of_another_format" in capsys.readouterr().err) is warned


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"version": 7}', "not of version 1"),
        ('{"version": 1, "parts": [{"names": []}]}', "not a record of packed weights"),
        ('{"version": 1, "parts": [{"names": ["a"], "shape": [1, 8], "bits": 5, "group": 8}]}', ""),
        ('{"version": 1, "parts": [], "shared": ["a"]}', "not a record of packed weights"),
        (
            '{"version": 1, "parts": [{"names": ["a"], "shape": [-8, 8], "bits": 4, "group": 8}]}',
            "",
        ),
        ('{"version": 1, "parts": [{"names": [""], "shape": [8, 8], "bits": 4, "group": 8}]}', ""),
    ],
)
def test_a_damaged_record_is_named(tmp_path, content, said):
    (tmp_path / PACKED_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"{PACKED_FILE}: .*{said}"):
        packed_record(tmp_path)


def test_weights_that_do_not_fit_are_one_line(folder, rounded, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / WEIGHTS).write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a safetensors file"):
        load_answerer(str(tmp_path), device=CPU)
    record = packed_record(folder)
    write_packed_record(
        PackedRecord(record.parts[1:], record.shared, "the/base", "1", "hqq"), tmp_path
    )
    (tmp_path / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes())
    with pytest.raises(InputError, match=r"do not belong together .*is not told of"):
        load_answerer(str(tmp_path), device=CPU)


@pytest.fixture
def copied(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("codes", lambda tensor: tensor.float()),
        ("scales", lambda tensor: torch.full_like(tensor, torch.nan)),
        ("zeros", lambda tensor: tensor.float()),
    ],
)
def test_numbers_that_are_none_are_named(copied, kind, damage):
    tensors = load_file(copied / WEIGHTS)
    name = f"{packed_record(copied).parts[0].names[0]}.{kind}"
    save_file(tensors | {name: damage(tensors[name])}, copied / WEIGHTS)
    with pytest.raises(InputError, match=f"{name} is damaged"):
        load_answerer(str(copied), device=CPU)


def test_a_record_that_claims_more_than_any_machine_has_is_one_line(copied):
    record = packed_record(copied)
    huge = PackedPart(record.parts[0].names, (10**9, 10**6), 4, 10)
    write_packed_record(replace(record, parts=(huge, *record.parts[1:])), copied)
    with pytest.raises(InputError, match="do not belong together"):
        load_answerer(str(copied), device=CPU)


def test_the_base_is_found_from_anywhere_and_after_both_moved(folder, tmp_path, monkeypatch):
    there = tmp_path / "there"
    for name in ("exact", "packed", "part"):
        (there / name).mkdir(parents=True)
    (there / "exact" / "config.json").write_text("{}")
    monkeypatch.chdir(there)
    record = replace(packed_record(folder), base="exact")
    write_packed_record(record, Path("part"), Path("packed"))
    Path("part", PACKED_FILE).rename(Path("packed", PACKED_FILE))
    assert packed_record(Path("packed")) == record
    monkeypatch.chdir(tmp_path)
    assert packed_record(there / "packed").base == "there/exact"
    there.rename(tmp_path / "moved")
    assert packed_record(Path("moved", "packed")).base == "moved/exact"
    Path("moved", "exact").rename(tmp_path / "gone")
    assert packed_record(Path("moved", "packed")).base == "exact"
