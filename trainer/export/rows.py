"""Products of 8-bit integers with one scale for each row and one for each column of weights.

Where hundreds of rows meet one weight, as the patches of a picture do, this is twice as fast as
weights in blocks, whose scales change every few values. A row's scale is its own, so that what
becomes of it depends on no other row of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_MATRIX: Final = 2
_MOST: Final = 127
_ZERO: Final = 128
"""What stands for 0 in a row. Rows are unsigned and weights signed: onnxruntime 1.32 takes twice as
long where both are unsigned, and ten times where both are signed (AVX-512 VNNI)."""

_PACKED: Final = 4
"""Weights of a column that onnxruntime's kernels take at a time."""
_LEAST: Final = 1e-30
"""The largest value of a row is taken as no less, for a row of zeros is divided by it."""
_CONSTANTS: Final[dict[str, NDArray[Any]]] = {
    "rows.last_axis": np.array([-1], dtype=np.int64),
    "rows.least": np.array(_LEAST, dtype=np.float32),
    "rows.most": np.array(_MOST, dtype=np.float32),
    "rows.one": np.array(1, dtype=np.float32),
    "rows.zero": np.array(_ZERO, dtype=np.uint8),
}


class Rows(Enum):
    """How many rows a graph's weights are multiplied with at once."""

    FEW = "few"
    """A token of an answer, or a question's."""
    MANY = "many"
    """A picture's patches too."""


def round_by_rows(model: onnx.ModelProto) -> None:
    """Store the weights of products in 8 bits, and round what they are multiplied with row by row.

    ``(.., M, K)`` by ``(K, N)``: with ``r`` a row's largest magnitude and ``t`` a column's scale,
    ``y = r * t / 127 * (round(x * 127 / r) @ round(w / t))``. What several products read is rounded
    once.
    """
    graph = model.graph
    weights = {
        tensor.name: tensor
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == _MATRIX
    }
    nodes: list[onnx.NodeProto] = []
    rounded, packed = set[str](), set[str]()
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights:
            nodes.append(node)
            continue
        rows, weight = node.input
        if rows not in rounded:
            nodes.extend(_rounding(rows))
            rounded.add(rows)
        if weight not in packed:
            graph.initializer.extend(_columns(weights[weight]))
            packed.add(weight)
        nodes.extend(_product(rows, weight, node.output[0]))
    if not packed:
        return
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in _CONSTANTS.items()
    )
    left = [tensor for tensor in graph.initializer if tensor.name not in packed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(left)
    if all(opset.domain != "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _rounding(rows: str) -> Iterator[onnx.NodeProto]:
    def node(kind: str, inputs: list[str], output: str) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [f"{rows}.{output}"])

    yield node("Abs", [rows], "magnitudes")
    yield node("ReduceMax", [f"{rows}.magnitudes", "rows.last_axis"], "largest")
    yield node("Max", [f"{rows}.largest", "rows.least"], "range")
    # One division for each row: multiplying all its values is twice as fast as dividing them.
    yield node("Div", ["rows.most", f"{rows}.range"], "steps")
    yield node("Mul", [rows, f"{rows}.steps"], "scaled")
    yield node("QuantizeLinear", [f"{rows}.scaled", "rows.one", "rows.zero"], "rounded")


def _columns(weight: onnx.TensorProto) -> Iterator[onnx.TensorProto]:
    values_KN = numpy_helper.to_array(weight)
    scales_N = _scales(np.abs(values_KN))
    rounded_KN = np.rint(values_KN / scales_N).astype(np.int8)
    yield numpy_helper.from_array(rounded_KN, f"{weight.name}.rounded")
    yield numpy_helper.from_array(scales_N / np.float32(_MOST), f"{weight.name}.scales")


def _scales(magnitudes_KN: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a scale for each column with which no processor's sums are clipped.

    x86-64 without VNNI adds the products of two neighbours in 16 bits (onnxruntime's documents on
    quantisation, "U8S8"): with rows up to 255, two weights must not be more than 128 together.
    Asked of the two largest of each four, for which of these are added first is the library's
    affair. All processors then give the same sums.
    """
    length, width = magnitudes_KN.shape
    padded = np.zeros((-(-length // _PACKED) * _PACKED, width), dtype=np.float32)
    padded[:length] = magnitudes_KN
    fours = np.sort(padded.reshape(-1, _PACKED, width), axis=1)
    most_N = fours[:, -2:].sum(1).max(0)
    most_N[most_N == 0] = 1
    scales_N: NDArray[np.float32] = (most_N / _MOST).astype(np.float32)
    return scales_N


def _product(rows: str, weight: str, output: str) -> Iterator[onnx.NodeProto]:
    yield helper.make_node(
        "MatMulIntegerToFloat",
        [f"{rows}.rounded", f"{weight}.rounded", "rows.one", f"{weight}.scales", "rows.zero"],
        [f"{output}.of_rounded"],
        domain="com.microsoft",
    )
    yield helper.make_node("Mul", [f"{output}.of_rounded", f"{rows}.range"], [output])
