"""Products rounded row by row: close, each row's own, and the same on every processor."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from trainer.export.bundle import graph_path
from trainer.export.rows import round_by_rows
from trainer.export.variants import Variant

pytestmark = pytest.mark.xdist_group("export")  # its graphs are made once

RANDOM = np.random.default_rng(0)
ROWS_BMK = RANDOM.normal(size=(3, 5, 70)).astype(np.float32)
WEIGHT_KN = RANDOM.standard_t(3, size=(70, 33)).astype(np.float32)


def model_of(weight_KN):
    shapes = [
        helper.make_tensor_value_info("x", 1, ["B", "M", weight_KN.shape[0]]),
        helper.make_tensor_value_info("y", 1, ["B", "M", weight_KN.shape[1]]),
    ]
    node = helper.make_node("MatMul", ["x", "weight"], ["y"])
    weight = numpy_helper.from_array(weight_KN, "weight")
    graph = helper.make_graph([node], "one", shapes[:1], shapes[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    round_by_rows(model)
    onnx.checker.check_model(model)
    return model


def product(rows_BMK, weight_KN=WEIGHT_KN):
    session = onnxruntime.InferenceSession(model_of(weight_KN).SerializeToString())
    return session.run(["y"], {"x": rows_BMK})[0]


def test_a_rounded_product_is_close():
    exact = ROWS_BMK @ WEIGHT_KN
    off = np.linalg.norm(product(ROWS_BMK) - exact) / np.linalg.norm(exact)
    assert 0 < off < 0.03


def test_no_row_depends_on_the_rows_beside_it():
    loud = ROWS_BMK.copy()
    loud[0, 0] *= 1000
    assert np.array_equal(product(loud)[1:], product(ROWS_BMK)[1:])
    assert np.array_equal(product(ROWS_BMK[1:2, 2:3]), product(ROWS_BMK)[1:2, 2:3])


def test_rows_and_columns_of_zeros_give_zeros():
    rows_BMK, weight_KN = ROWS_BMK.copy(), WEIGHT_KN.copy()
    rows_BMK[1, 2], weight_KN[:, 4] = 0, 0
    result = product(rows_BMK, weight_KN)
    assert np.isfinite(result).all()
    assert not result[1, 2].any()
    assert not result[..., 4].any()


def test_two_neighbours_times_the_largest_row_fit_16_bits():
    # A processor without VNNI clips their sum, so that a probability would depend on it.
    weight_KN = WEIGHT_KN.copy()
    weight_KN[8:12] = np.abs(WEIGHT_KN).max()
    [rounded_KN] = [
        numpy_helper.to_array(tensor).astype(int)
        for tensor in model_of(weight_KN).graph.initializer
        if tensor.name == "weight.rounded"
    ]
    assert np.abs(rounded_KN).max() > 60
    assert (np.abs(rounded_KN[:-1:2]) + np.abs(rounded_KN[1::2])).max() * 255 < 2**15


def test_a_pictures_many_rows_meet_no_weights_in_blocks(bundles):
    kinds = {
        name: {node.op_type for node in onnx.load(graph_path(bundles / variant, name)).graph.node}
        for variant, name in ((Variant.INT8, "image_encoder"), (Variant.INT8, "decoder_step"))
    }
    assert "MatMulNBits" not in kinds["image_encoder"]
    assert "MatMulNBits" in kinds["decoder_step"]


def test_whoever_asks_onnxruntime_not_to_clip_sums_gets_the_same_features(bundles):
    # A graph whose products shared a zero point would not load: findings/README.md.
    features = []
    for unclipped in "01":
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.x64quantprecision", unclipped)
        path = graph_path(bundles / Variant.INT8, "image_encoder")
        session = onnxruntime.InferenceSession(path, options)
        [pixels] = session.get_inputs()
        shape = [side if isinstance(side, int) else 2 for side in pixels.shape]
        pixels_NCHW = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        features.append(session.run(None, {pixels.name: pixels_NCHW})[0])
    assert np.array_equal(*features)
