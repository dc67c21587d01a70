"""Weights in fewer bits: smaller, all of them packed, and a row's answer its own."""

import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from shared.onnx_vqa.runtime import OnnxVqa
from tests.models import SHAPE, load_float
from tests.trainer.export.answers import answers_of_bundle, answers_of_model
from trainer.export.bundle import graph_path
from trainer.export.families.blip import GRAPHS
from trainer.export.variants import NotPacked, Variant, write_variant

pytestmark = pytest.mark.xdist_group("export")  # its graphs are made once

DYNAMIC = {"DynamicQuantizeLinear", "MatMulInteger", "DynamicQuantizeMatMul"}


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
    answers = answers_of_bundle(bundles / "float16", images, asked)
    wanted = answers_of_model(tmp_path, images, asked)
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
        Variant.INT8: {onnx.TensorProto.UINT8, onnx.TensorProto.INT8},
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
