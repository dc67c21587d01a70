"""`trainer export`: what onnxruntime answers is what the model answers."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet as pq
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from evaluator.__main__ import app as evaluator
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from shared.corpus import write_pairs
from shared.dataset.training_images import TRAINING_IMAGES
from shared.errors import InputError
from shared.images.decoding import open_image
from shared.onnx_vqa import MANIFEST, is_bundle
from shared.onnx_vqa.runtime import BundleError, OnnxVqa
from shared.program.cli import run_program
from shared.program.settings import validated
from shared.records import Question
from shared.vqa.blip.inference import answer_questions, remember_images
from shared.vqa.preprocessing import pixel_values
from shared.vqa.trained_on import known_training
from tests.families import save_vilt
from tests.models import QUESTIONS, SHAPE, load_float, save_tiny_model
from tests.places import files_that_name
from tests.trainer.recipes import fit_settings, write_data
from trainer.__main__ import app
from trainer.export.bundle import RUNTIME, Provenance, bytes_in, graph_path, write_bundle
from trainer.export.checking import AnswersDiffer, CheckedQuestions, require_equal
from trainer.export.graphs import GRAPHS, write_graph
from trainer.export.measure import Measurement
from trainer.export.variants import NotPacked, Variant, write_variant
from trainer.fitting.fit import fit
from trainer.recipe.recipe import FitRecipe

pytestmark = pytest.mark.xdist_group("export")  # its graphs are made once

ROOT = Path(__file__).parents[3]
ABO = ROOT / "../shared/abo"
ONE_LAYER = SHAPE.model_copy(update={"vision_layers": 1, "question_layers": 1})
"""The exporter takes seconds a layer."""
DYNAMIC = {"DynamicQuantizeLinear", "MatMulInteger", "DynamicQuantizeMatMul"}
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


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("original") / "model", shape=ONE_LAYER)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, original):
    folder = tmp_path_factory.mktemp("bundles")
    model = load_float(original)
    for name in GRAPHS:
        write_graph(name, model.blip, graph_path(folder, name))
    provenance = Provenance("tiny", "r1", "")
    for variant in Variant:
        write_bundle(folder, model, variant, provenance, folder / variant)
    return folder


@pytest.fixture(scope="module")
def images(pictures):
    folder, pairs = pictures
    return [open_image(folder / name) for name in sorted({pair.filename for pair in pairs})[:8]]


@pytest.fixture(scope="module")
def asked(images):
    """Each question about each image, in an order in which images alternate."""
    return [(at, text) for text in QUESTIONS for at in range(len(images))]


def said_by_model(folder, images, asked):
    model = load_float(folder)
    memory = remember_images(model, images)
    return answer_questions(model, memory, [at for at, _ in asked], [text for _, text in asked])


def said_by_bundle(folder, images, asked):
    model = OnnxVqa(folder, threads=1)
    seen = model.remember([model.prepare(image) for image in images])
    return model.answer(seen, [at for at, _ in asked], [text for _, text in asked])


def run_export(*words) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["export", *map(str, words)])
    return leaving.value.code


def test_float32_graphs_answer_as_the_model_does(bundles, original, images, asked):
    wanted = said_by_model(original, images, asked)
    assert len({answer.text for answer in wanted}) > 10
    answers = said_by_bundle(bundles / "float32", images, asked)
    assert [answer.text for answer in answers] == [answer.text for answer in wanted]
    assert [answer.confidence for answer in answers] == pytest.approx(
        [answer.confidence for answer in wanted], rel=1e-3
    )


@pytest.mark.parametrize("variant", Variant)
def test_an_answer_does_not_depend_on_what_is_asked_beside_it(bundles, images, asked, variant):
    model = OnnxVqa(bundles / variant, threads=1)
    together = said_by_bundle(bundles / variant, images, asked)
    for (at, question), wanted in list(zip(asked, together, strict=True))[::3]:
        [alone] = model.ask(images[at], question)
        assert alone.text == wanted.text
        assert alone.confidence == pytest.approx(wanted.confidence, rel=1e-3)


def test_no_graph_computes_with_scales_of_a_whole_batch(bundles):
    for variant in Variant:
        for name in GRAPHS:
            nodes = onnx.load(graph_path(bundles / variant, name)).graph.node
            assert not {node.op_type for node in nodes} & DYNAMIC, (variant, name)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_product_that_the_quantiser_skips_is_an_error_and_no_larger_file(tmp_path, bits):
    weight = numpy_helper.from_array(np.ones((128, 128), np.float32), "weight")
    shapes = [helper.make_tensor_value_info(name, 1, ["B", 128]) for name in ("x", "y")]
    # What a linear layer becomes whose example input has two axes.
    node = helper.make_node("Gemm", ["x", "weight"], ["y"])
    graph = helper.make_graph([node], "one", shapes[:1], shapes[1:], [weight])
    onnx.save_model(helper.make_model(graph), tmp_path / "whole.onnx")
    with pytest.raises(NotPacked, match=r"weight: .* Gemm"):
        write_variant(tmp_path / "whole.onnx", Variant(f"int{bits}"), tmp_path / "packed.onnx")
    assert not (tmp_path / "packed.onnx").exists()


def test_float16_loses_nothing_of_weights_that_had_16_bits(
    tmp_path, bundles, original, images, asked
):
    rounded = load_float(original)
    rounded.blip.half().save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "processor_config.json"):
        shutil.copy(original / name, tmp_path)
    answers = said_by_bundle(bundles / "float16", images, asked)
    wanted = said_by_model(tmp_path, images, asked)
    assert [answer.text for answer in answers] == [answer.text for answer in wanted]


def test_fewer_bits_weigh_less_and_see_the_same_picture(bundles, images):
    float32, float16, int8, int4 = (
        sum(graph_path(bundles / variant, name).stat().st_size for name in GRAPHS)
        for variant in Variant
    )
    # So small a model is mostly graph; what a large one weighs is in docs/models.md.
    assert int4 < int8 < 0.4 * float32
    assert float16 < 0.6 * float32

    def features(variant):
        model = OnnxVqa(bundles / variant, threads=1)
        session = onnxruntime.InferenceSession(graph_path(bundles / variant, "image_encoder"))
        return session.run(["features"], {"pixels": model.prepare(images[0])})[0]

    exact = features(Variant.FLOAT32)
    for variant, most in ((Variant.FLOAT16, 1e-3), (Variant.INT8, 0.05), (Variant.INT4, 0.2)):
        off = np.linalg.norm(features(variant) - exact) / np.linalg.norm(exact)
        assert 0 < off < most, variant


@pytest.mark.parametrize(("variant", "a_byte"), [("int4", 2), ("int8", 1)])
def test_in_few_bits_the_decoders_words_are_stored_once(bundles, original, variant, a_byte):
    # An own table would have the words' full number of values, whatever their bits.
    graph = onnx.load(graph_path(bundles / variant, "decoder_step")).graph
    words = load_float(original).blip.config.text_config.vocab_size
    sizes = {words * SHAPE.width // a_byte, words * SHAPE.width}
    tables = [t for t in graph.initializer if np.prod(t.dims) in sizes]
    assert len(tables) == 1
    assert sum(node.op_type == "GatherBlockQuantized" for node in graph.node) == 2


def test_every_large_weight_has_the_bits_that_the_variant_says(bundles):
    allowed = {
        Variant.FLOAT16: {onnx.TensorProto.FLOAT16},
        Variant.INT8: {onnx.TensorProto.UINT8},
    }
    for variant, kinds in allowed.items():
        for name in GRAPHS:
            model = onnx.load(graph_path(bundles / variant, name))
            onnx.checker.check_model(model)
            # The patches' convolution, of four axes, is left out: 0.2 % of blip-vqa-base.
            large = [
                t
                for t in model.graph.initializer
                if np.prod(t.dims) >= 64 * 64 and (len(t.dims) < 4 or variant is Variant.FLOAT16)
            ]
            assert large, name
            assert {t.data_type for t in large} <= kinds, (variant, name)
    for name in GRAPHS:
        graph = onnx.load(graph_path(bundles / Variant.INT4, name)).graph
        whole = {
            t.name for t in graph.initializer if t.data_type == 1 and np.prod(t.dims) >= 64 * 64
        }
        readers = {n.op_type for n in graph.node if whole & set(n.input)}
        assert readers <= {"Conv"}, name


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_pixels_are_those_of_the_processor(bundles, original, mode):
    noise = np.random.default_rng(0).integers(0, 256, (71, 47, 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert(mode)
    pixels = OnnxVqa(bundles / "float32").prepare(image)
    wanted = pixel_values(load_float(original).image_processor, [image.convert("RGB")])
    assert np.array_equal(pixels, wanted.numpy())


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
    vilt = save_vilt(tmp_path_factory.mktemp("vilt") / "model")
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
        "only BLIP for VQA": ("--model", vilt, "--out", out, *questions),
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
        "is there already": ("--model", original, "--out", tmp_path / "there", *questions),
    }
    for reason, words in cases.items():
        assert run_export(*words) == 2
        error = capsys.readouterr().err.strip()
        assert reason in error
        assert "\n" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_the_extra_that_is_missing_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("trainer.commands.export._PACKAGES", ("onnx", "not_installed_at_all"))
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
