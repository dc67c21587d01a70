"""A model for OpenVINO and for TensorRT: the same answers, from files of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.answering.bundle import BundleAnswerer
from shared.errors import InputError
from shared.onnx_vqa import MANIFEST
from shared.onnx_vqa.runtime import OnnxVqa
from tests.models import load_float
from tests.trainer.export.answers import answers_of_bundle
from trainer.export.bundle import Provenance, write_bundle
from trainer.export.families.blip import exportable_blip
from trainer.export.targets import Target
from trainer.export.variants import Variant

pytestmark = pytest.mark.xdist_group("export")  # its graphs are made once


@pytest.fixture(scope="module")
def for_target(bundles, original, tmp_path_factory):
    folder = tmp_path_factory.mktemp("targets")
    exportable = exportable_blip(load_float(original))

    def made(target, variant):
        place = folder / f"{target}-{variant}"
        if not place.exists():
            provenance = Provenance("tiny", "r1", "")
            write_bundle(bundles, exportable, variant, provenance, place, target=target)
        return place

    return made


@pytest.mark.parametrize("target", [Target.OPENVINO, Target.TENSORRT])
def test_float32_answers_as_beside_onnxruntime(target, for_target, bundles, images, asked):
    wanted = answers_of_bundle(bundles / "float32", images, asked)
    answers = answers_of_bundle(for_target(target, Variant.FLOAT32), images, asked)
    assert [answer.text for answer in answers] == [answer.text for answer in wanted]
    for answer, other in zip(answers, wanted, strict=True):
        assert answer.confidence == pytest.approx(other.confidence, rel=1e-3)


@pytest.mark.slow
def test_fewer_bits_weigh_less_and_answer(for_target, images, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    folders = [for_target(Target.OPENVINO, variant) for variant in Variant]
    sizes = [sum(path.stat().st_size for path in folder.glob("*.bin")) for folder in folders]
    assert sizes == sorted(sizes, reverse=True)
    for folder in folders:
        [answer] = OnnxVqa(folder, threads=1).ask(images[0], "what color is it")
        assert 0 <= answer.confidence <= 1
    # What compresses weights would report each use, and leave a number for it at home.
    assert not list(tmp_path.iterdir())
    assert "NNCF_CI" not in os.environ


def test_a_bundle_says_what_runs_it(for_target):
    openvino = BundleAnswerer(str(for_target(Target.OPENVINO, Variant.FLOAT32)))
    assert openvino.facts().architecture.endswith("OpenVINO")
    folder = for_target(Target.TENSORRT, Variant.FLOAT32)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["providers"] == ["TensorrtExecutionProvider", "CUDAExecutionProvider"]


def test_openvino_keeps_no_number_for_its_user(tmp_path):
    pytest.importorskip("openvino", reason="needs openvino")
    program = "from shared.onnx_vqa.engines import openvino_unreported as o; o(); import os; "
    program += "print(os.environ.get('CI'))"
    home = {name: value for name, value in os.environ.items() if name != "CI"}
    home |= {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    told = subprocess.run(
        [sys.executable, "-c", program], env=home, check=True, capture_output=True
    )
    assert told.stdout.split() == [b"None"]
    assert not list(tmp_path.iterdir())


def test_an_engine_that_is_not_installed_is_named(for_target, monkeypatch):
    folder: Path = for_target(Target.OPENVINO, Variant.FLOAT32)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"needs openvino: pip install 'abo-vqa\[openvino\]'"):
        BundleAnswerer(str(folder))
