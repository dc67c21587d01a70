"""The forms in which a graph's weights are stored: whole, or rounded to 16, 8 or 4 bits."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from trainer.export.quiet import quiet_logging

INT4_BLOCKS: Final = (64, 32)
"""Weights that share a scale and a zero point; the first that divides every product's length. With
64, which NF4 has too, a weight takes (64 x 4 + 32 + 4) / 64 = 4.6 bits; with 32, 5.1."""

_SMALL: Final = 1024
"""Tensors of fewer values stay as they are: they weigh nothing."""


class Variant(StrEnum):
    """How a bundle's weights are stored."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    """Half the size; computed in float32, so that nothing is lost of weights that had 16 bits."""
    INT8 = "int8"
    """Products of 8-bit integers (onnxruntime's dynamic quantisation)."""
    INT4 = "int4"
    """Weights of 4 bits in blocks, computed in float32 (onnxruntime's MatMulNBits)."""


def write_variant(source: Path, variant: Variant, target: Path) -> None:
    """Write the float32 graph at ``source`` in another form."""
    model = onnx.load(source)
    match variant:
        case Variant.FLOAT32:
            pass
        case Variant.FLOAT16:
            _store_in_16_bits(model)
        case Variant.INT8:
            _untie_tables(model)
            model = _int8(model)
        case Variant.INT4:
            tables = _untie_tables(model)
            model = _int4(model)
            _tie_tables(model, tables)
    onnx.save_model(model, target)


def _store_in_16_bits(model: onnx.ModelProto) -> None:
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < _SMALL:
            continue
        name = tensor.name
        half = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(half).all():
            continue
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _int8(model: onnx.ModelProto) -> onnx.ModelProto:
    with TemporaryDirectory() as folder:
        whole, rounded = Path(folder, "whole.onnx"), Path(folder, "rounded.onnx")
        onnx.save_model(model, whole)
        with quiet_logging():
            quantize_dynamic(
                whole,
                rounded,
                op_types_to_quantize=["MatMul", "Gather"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        return onnx.load(rounded)


def _int4(model: onnx.ModelProto) -> onnx.ModelProto:
    # Rows that are all zero, such as the padding token's, are divided by a scale of zero first.
    with quiet_logging(), np.errstate(divide="ignore", invalid="ignore"):
        # Imported here, for it sets up the root logger.
        from onnxruntime.quantization.matmul_nbits_quantizer import (  # noqa: PLC0415
            DefaultWeightOnlyQuantConfig,
            MatMulNBitsQuantizer,
        )

        quantizer = MatMulNBitsQuantizer(
            model,
            algo_config=DefaultWeightOnlyQuantConfig(
                block_size=_int4_block(model), op_types_to_quantize=("MatMul", "Gather")
            ),
        )
        quantizer.process()
    rounded: onnx.ModelProto = quantizer.model.model
    return rounded


def _int4_block(model: onnx.ModelProto) -> int:
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    lengths = {
        weights[node.input[1]].dims[0]
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in weights
    }
    fitting = [block for block in INT4_BLOCKS if all(length % block == 0 for length in lengths)]
    return fitting[0] if fitting else INT4_BLOCKS[-1]


def _untie_tables(model: onnx.ModelProto) -> dict[str, str]:
    """Give a product of its own the embedding table that it shares, and return both their names.

    The quantisers see a product's weight only where it is stored as the product reads it.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    kept, tables = [], {}
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in weights:
            [permutation] = [attribute.ints for attribute in node.attribute]
            turned = numpy_helper.to_array(weights[node.input[0]]).transpose(list(permutation))
            graph.initializer.append(numpy_helper.from_array(turned.copy(), node.output[0]))
            tables[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    return tables


def _tie_tables(model: onnx.ModelProto, tables: Mapping[str, str]) -> None:
    """Let an embedding in 4 bits read the product's weight again, whose rows are packed alike."""
    graph = model.graph
    products = {node.input[1]: node for node in graph.node if node.op_type == "MatMulNBits"}
    tied = {f"{table}_Q4": products[f"{turned}_Q4"] for turned, table in tables.items()}
    nodes, unused = [], set()
    for node in graph.node:
        product = tied.get(node.input[0]) if node.op_type == "GatherBlockQuantized" else None
        sizes = {} if product is None else {one.name: one.i for one in product.attribute}
        if product is None or sizes["K"] % sizes["block_size"]:
            nodes.append(node)
            continue
        _, packed, scales, zero_points = product.input
        rows = f"{packed}_rows"
        shape = np.array([sizes["N"], -1], dtype=np.int64)
        graph.initializer.append(numpy_helper.from_array(shape, f"{rows}_shape"))
        nodes.append(helper.make_node("Reshape", [packed, f"{rows}_shape"], [rows]))
        unused |= {name for name in node.input if name != node.input[1]}
        inputs = [rows, node.input[1], scales, zero_points]
        again = helper.make_node(
            node.op_type, inputs, list(node.output), domain=node.domain, bits=4
        )
        again.attribute.extend(node.attribute)
        nodes.append(again)
    del graph.node[:]
    graph.node.extend(nodes)
    weights = [tensor for tensor in graph.initializer if tensor.name not in unused]
    del graph.initializer[:]
    graph.initializer.extend(weights)
