"""What onnxruntime answers is what the model answers, with nothing but the bundle."""

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from evaluator.__main__ import app as evaluator
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from evaluator.runs.settings import RunSettings
from evaluator.runs.sources.replicas import ReplicaSource
from shared.corpus import write_pairs
from shared.errors import InputError
from shared.onnx_vqa import MANIFEST, is_bundle
from shared.onnx_vqa.manifest import BundleError
from shared.onnx_vqa.runtime import OnnxVqa
from shared.program.cli import run_program
from shared.records import Question
from shared.vqa.blip.inference import answer_questions, remember_images
from shared.vqa.inputs.instruction import Instruction
from shared.vqa.inputs.preprocessing import pixel_values
from tests.models import QUESTIONS, SHAPE, load_float
from tests.trainer.export.answers import answers_of_bundle, answers_of_model
from tests.trainer.export.damages import told_of
from trainer.export.bundle import (
    RUNTIME,
    Provenance,
    graph_path,
    standalone_runtime,
    write_bundle,
)
from trainer.export.families.blip import GRAPHS, exportable_blip
from trainer.export.variants import Variant

pytestmark = pytest.mark.xdist_group("export")  # its graphs are made once

ROOT = Path(__file__).parents[3]
STANDS_ALONE = """
import runpy, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "shared", "trainer"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_float32_graphs_answer_as_the_model_does(bundles, original, images, asked):
    wanted = answers_of_model(original, images, asked)
    assert len({answer.text for answer in wanted}) > 10
    answers = answers_of_bundle(bundles / "float32", images, asked)
    assert [answer.text for answer in answers] == [answer.text for answer in wanted]
    assert [answer.confidence for answer in answers] == pytest.approx(
        [answer.confidence for answer in wanted], rel=1e-3
    )


def test_a_bundle_asks_within_the_prompt_that_the_model_was_trained_with(
    bundles, original, images, asked, tmp_path
):
    model = replace(load_float(original), instruction=Instruction("{question} green {question}"))
    bundle = tmp_path / "bundle"
    exportable = exportable_blip(model)
    write_bundle(bundles, exportable, Variant.FLOAT32, Provenance("tiny", "r1", ""), bundle)
    memory = remember_images(model, images)
    wanted = answer_questions(model, memory, [at for at, _ in asked], [text for _, text in asked])
    texts = [answer.text for answer in answers_of_bundle(bundle, images, asked)]
    assert texts == [answer.text for answer in wanted]
    assert texts != [answer.text for answer in answers_of_model(original, images, asked)]
    # A reader of the first format would ask without it.
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    assert (manifest["format"], manifest["family"], manifest["engine"]) == (3, "blip", "onnx")


@pytest.mark.parametrize("variant", Variant)
def test_an_answer_does_not_depend_on_what_is_asked_beside_it(bundles, images, asked, variant):
    model = OnnxVqa(bundles / variant, threads=1)
    together = answers_of_bundle(bundles / variant, images, asked)
    for (at, question), wanted in list(zip(asked, together, strict=True))[::3]:
        [alone] = model.ask(images[at], question)
        assert alone.text == wanted.text
        assert alone.confidence == pytest.approx(wanted.confidence, rel=1e-3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_pixels_are_those_of_the_processor(bundles, original, mode):
    noise = np.random.default_rng(0).integers(0, 256, (71, 47, 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert(mode)
    pixels = OnnxVqa(bundles / "float32").prepare(image)
    wanted = pixel_values(load_float(original).image_processor, [image.convert("RGB")])
    assert np.array_equal(pixels, wanted.numpy())


def test_threads_of_a_graph_leave_the_cores_to_the_next_graph(bundles, monkeypatch):
    plain, seen = onnxruntime.InferenceSession, []

    def watched(path, options, **others):
        seen.append(options.get_session_config_entry("session.force_spinning_stop"))
        return plain(path, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    OnnxVqa(bundles / Variant.INT8)
    assert set(seen) == {"1"}


def test_axes_have_names_and_no_file_of_this_machine_is_named(bundles):
    for name in GRAPHS:
        path = graph_path(bundles / "float32", name)
        assert b"site-packages" not in path.read_bytes()
        assert str(ROOT).encode() not in path.read_bytes()
    step = onnx.load(graph_path(bundles / "float32", "decoder_step")).graph
    axes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*step.input, *step.output)
    }
    heads, size = SHAPE.heads, SHAPE.width // SHAPE.heads
    assert axes["past_keys"] == [1, "B", heads, "S", size]
    assert axes["keys"] == [1, "B", heads, "S + 1", size]
    assert axes["question_keys"] == [1, "B", heads, "T", size]


def test_a_bundle_needs_neither_torch_nor_this_project(bundles, pictures, images):
    folder, pairs = pictures
    name, asked = min(pair.filename for pair in pairs), QUESTIONS[:2]
    ran = subprocess.run(
        [sys.executable, "-c", STANDS_ALONE, bundles / "float32" / RUNTIME, folder / name, *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answers = OnnxVqa(bundles / "float32").ask(images[0], *asked)
    assert ran.stdout.splitlines() == [
        f"{question}: {answer.text} ({answer.confidence:.2f})"
        for question, answer in zip(asked, answers, strict=True)
    ]


def test_no_name_stands_for_two_things_in_what_a_bundle_runs():
    named = {}
    for node in ast.parse(standalone_runtime()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        for name in names:
            assert name not in named, f"{name}: in lines {named[name]} and {node.lineno}"
            named[name] = node.lineno
    assert {"OnnxVqa", "cleaned", "pixels_by", "rgb"} <= named.keys()


def test_the_evaluator_takes_a_bundle_for_a_model(bundles, original, pictures, tiny_adapter):
    folder, pairs = pictures
    questions = [Question(str(at), pair.question, pair.filename) for at, pair in enumerate(pairs)]

    def replica(model):
        return Replica(replica_settings(str(model), None, "none", folder, batch_size=7))

    exported, plain = replica(bundles / "int8"), replica(bundles / "float32")
    assert {r.question_id: r.answer for r in plain.answer(questions)} == {
        r.question_id: r.answer for r in replica(original).answer(questions)
    }
    facts = asdict(exported.facts())
    assert (facts["quantization"], facts["revision"]) == ("int8", "tiny r1")
    with pytest.raises(InputError, match=r"give one of its exports, such as .*float16"):
        replica_settings(str(bundles), None, "none", folder, batch_size=7)
    with pytest.raises(InputError, match="takes no --adapter"):
        replica_settings(str(bundles / "int8"), tiny_adapter, "none", folder, batch_size=7)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(300)
def test_replicas_on_ray_answer_with_a_bundle(bundles, pictures, tmp_path, capsys, tiny_adapter):
    folder, pairs = pictures
    several = [replace(pair, answers=(pair.answer, "red"), boxes=()) for pair in pairs[:6]]
    write_pairs([*several, *pairs[6:]], tmp_path / "pairs.jsonl")

    def run_evaluator(*words) -> int:
        data = ("--data", tmp_path / "pairs.jsonl", "--images", folder)
        model = ("--model", bundles / "float32", "--out", tmp_path / "run")
        with pytest.raises(SystemExit) as leaving:
            run_program(evaluator, "evaluator", ["run", *map(str, (*data, *model, *words))])
        return leaving.value.code

    assert run_evaluator("--metrics", "exact_match,vtgs") == 2
    assert "vtgs: regions behind an answer need gradients" in capsys.readouterr().err
    assert run_evaluator("--adapter", f"lamps={tiny_adapter}") == 2
    assert "takes no --adapter" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert run_evaluator("--replicas", "2", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["metrics"]["vqa_soft"]["n"] == 6
    assert set(card["provenance"]["left_out"]) == {"vtgs"}
    assert card["provenance"]["revision"] == "tiny r1"


def test_a_bundle_of_another_format_is_refused(bundles, tmp_path):
    assert is_bundle(str(bundles / "int4"))
    assert not is_bundle(str(tmp_path))
    with pytest.raises(BundleError, match="is missing"):
        OnnxVqa(tmp_path)
    manifest = json.loads((bundles / "int4" / MANIFEST).read_text(encoding="utf-8"))
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"format": 99}), encoding="utf-8")
    with pytest.raises(BundleError, match="format 99"):
        OnnxVqa(tmp_path)
    with pytest.raises(InputError, match="export the model again"):
        Replica(replica_settings(str(tmp_path), None, "none", tmp_path, batch_size=1))


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-100])


def with_other_weights(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without_preprocessing(path):
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["image"]
    path.write_text(json.dumps(manifest), encoding="utf-8")


def changed(**changes):
    def damage(path):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(manifest | changes), encoding="utf-8")

    return damage


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("decoder_step.onnx", cut_off, "decoder_step.onnx: damaged"),
        ("image_encoder.onnx", with_other_weights, "image_encoder.onnx: damaged"),
        ("question_encoder.onnx", Path.unlink, "question_encoder.onnx: not readable"),
        ("tokenizer.json", cut_off, "tokenizer.json: not readable"),
        (MANIFEST, cut_off, "bundle.json: not readable"),
        (MANIFEST, without_preprocessing, "bundle.json: damaged, lacks image"),
        (MANIFEST, lambda path: path.write_text("[1]"), "bundle.json: not what says"),
        (MANIFEST, changed(graphs={}), "graphs lacks decoder_step, image_encoder"),
        (MANIFEST, changed(sha256={}), "sha256 lacks decoder_step"),
        (MANIFEST, changed(tokenizer=None), "tokenizer is no str"),
        (MANIFEST, changed(tokens={}), "tokens lacks end, pad"),
        (MANIFEST, changed(image={"width": 8}), "image lacks mean, resample"),
        (MANIFEST, changed(engine="x"), "made for 'x'"),
        (MANIFEST, changed(tokens={"start": 1, "end": [], "pad": 0}), "tokens.end is no int"),
        (MANIFEST, changed(prompt={"before": 1, "after": ""}), "prompt.before is no str"),
        (MANIFEST, changed(max_new_tokens=0), "max_new_tokens is 0, and has to be above 0"),
        (MANIFEST, changed(model=None), "model is no str"),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_line(bundles, tmp_path, file, damage, said):
    folder = tmp_path / "bundle"
    shutil.copytree(bundles / "int4", folder)
    damage(folder / file)
    with pytest.raises(BundleError, match=said):
        OnnxVqa(folder)


@pytest.mark.slow
def test_a_manifest_that_was_damaged_by_hand_answers_or_is_refused_in_one_line(bundles, tmp_path):
    said = told_of(bundles / "int4", tmp_path / "damaged")
    assert len(said) > 100
    assert not [line for line in said if "\n" in line]


def test_a_run_of_a_bundle_records_the_prompt_that_it_was_exported_with(
    bundles, original, tmp_path
):
    template, bundle = "{question} green {question}", tmp_path / "bundle"
    model = replace(load_float(original), instruction=Instruction(template))
    exportable = exportable_blip(model)
    write_bundle(bundles, exportable, Variant.FLOAT32, Provenance("tiny", "r1", ""), bundle)
    settings = RunSettings(data=str(tmp_path), model=str(bundle), out=tmp_path / "run")
    assert ReplicaSource(settings, str(tmp_path)).facts(with_regions=False)["prompt"] == template
    # Bundles of before said what stands around a question alone.
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    assert manifest.pop("template") == template
    (bundle / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    facts = ReplicaSource(settings, str(tmp_path)).facts(with_regions=False)
    assert (facts["prompt"], facts["max_new_tokens"]) == (template, 10)


def test_a_damaged_bundle_on_a_device_says_so(bundles, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(bundles / "int4", folder)
    cut_off(folder / "decoder_step.onnx")
    ran = subprocess.run(
        [sys.executable, "-c", STANDS_ALONE, folder / RUNTIME, "chair.jpg", "what is it"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "decoder_step.onnx: damaged" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
