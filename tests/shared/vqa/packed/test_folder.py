"""A folder of packed weights: every command loads it, and holds it so unless told otherwise."""

import pytest
import torch

from shared.errors import InputError
from shared.vqa.families import load_answerer
from shared.vqa.packed.folder import WEIGHTS
from shared.vqa.packed.record import (
    PACKED_FILE,
    PackedRecord,
    packed_record,
    write_packed_record,
)
from shared.vqa.packed.rounding import is_packed
from shared.vqa.quantization import Quantization
from tests.models import QUESTIONS, save_packed_model

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
    with pytest.raises(InputError, match="tensors missing and"):
        load_answerer(str(tmp_path), device=CPU)
