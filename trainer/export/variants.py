"""The forms in which a graph's weights are stored: whole, or rounded to 16, 8 or 4 bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shared.errors import AboVqaError
from trainer.export.quiet import quiet_logging
from trainer.export.rows import Rows, round_by_rows

BLOCKS: Final = (64, 32)
"""Weights that share a scale and a zero point; the first that divides every product's length. With
64, which NF4 has too, a weight takes (64 x 4 + 32 + 4) / 64 = 4.6 bits; with 32, 5.1. In 8 bits
it is 8.6 and 9.25."""

_EIGHT_BIT_PRODUCTS: Final = 4
"""onnxruntime's ``accuracy_level`` of products in 8-bit integers: four to six times as fast as
unpacking weights to float32, where the processor multiplies such integers itself.
Source: docs/ContribOperators.md of onnxruntime 1.32, com.microsoft.MatMulNBits."""

_SMALL: Final = 1024
"""Tensors of fewer values stay as they are: they weigh nothing."""
_LARGE: Final = 64 * 64
_MATRIX: Final = 2
_READERS: Final = frozenset({"MatMul", "Gemm", "Gather"})
"""What reads the weights of linear layers and embeddings in float32."""


class Variant(StrEnum):
    """How a bundle's weights are stored."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    """Half the size; computed in float32, so that nothing is lost of weights that had 16 bits."""
    INT8 = "int8"
    """Weights of 8 bits, multiplied in 8-bit integers.

    They have one scale for each column where a picture's many rows meet them, else blocks
    (onnxruntime's MatMulNBits). What they are multiplied with is rounded likewise, each row for
    itself. Not onnxruntime's dynamic quantisation: that gives one scale to all rows of a batch, so
    that an answer would depend on the questions beside it.
    """
    INT4 = "int4"
    """Weights of 4 bits, all in blocks."""


class NotPacked(AboVqaError):
    """A large weight was left in float32 by a quantiser that does not say so."""


def write_variant(source: Path, variant: Variant, target: Path, rows: Rows = Rows.FEW) -> None:
    """Write the float32 graph at ``source`` in another form.

    Raises:
        NotPacked: a large weight would stay in float32.
    """
    model = onnx.load(source)
    match variant:
        case Variant.FLOAT32:
            pass
        case Variant.FLOAT16:
            _store_in_16_bits(model)
        case Variant.INT8:
            if rows is Rows.MANY:
                round_by_rows(model)
            model = _in_blocks(model, 8)
        case Variant.INT4:
            model = _in_blocks(model, 4)
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


def _in_blocks(model: onnx.ModelProto, bits: int) -> onnx.ModelProto:
    """Return the graph with its products and tables in ``bits`` bits.

    Raises:
        NotPacked: a large weight is still in float32.
    """
    tables = _untie_tables(model)
    # Rows that are all zero, such as the padding token's, are divided by a scale of zero first.
    with quiet_logging(), np.errstate(divide="ignore", invalid="ignore"):
        # Imported here, for it sets up the root logger.
        from onnxruntime.quantization.matmul_nbits_quantizer import (  # noqa: PLC0415
            DefaultWeightOnlyQuantConfig,
            MatMulNBitsQuantizer,
        )

        block = block_size(model)
        # Of tables it knows 4 bits alone.
        config = DefaultWeightOnlyQuantConfig(
            block_size=block,
            accuracy_level=_EIGHT_BIT_PRODUCTS,
            op_types_to_quantize=("MatMul",),
            bits=bits,
        )
        quantizer = MatMulNBitsQuantizer(model, algo_config=config)
        quantizer.process()
    packed: onnx.ModelProto = quantizer.model.model
    _pack_tables(packed, bits, block)
    _tie_tables(packed, tables, bits)
    _require_packed(packed)
    return packed


def block_size(model: onnx.ModelProto) -> int:
    """Return the first of ``BLOCKS`` that divides every product's length, else the last."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    lengths = {
        weights[node.input[1]].dims[0]
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in weights
    }
    fitting = [block for block in BLOCKS if all(length % block == 0 for length in lengths)]
    return fitting[0] if fitting else BLOCKS[-1]


def _pack_tables(model: onnx.ModelProto, bits: int, block: int) -> None:
    """Store what embeddings look up as the products' weights are stored."""
    graph = model.graph
    tables = {name: tensor for name, tensor in _large_floats(model) if len(tensor.dims) == _MATRIX}
    nodes, looked_up = [], set()
    for node in graph.node:
        if node.op_type != "Gather" or node.input[0] not in tables:
            nodes.append(node)
            continue
        name = node.input[0]
        if name not in looked_up:
            graph.initializer.extend(_packed_table(tables[name], bits, block))
            looked_up.add(name)
        inputs = [f"{name}_Q{bits}", node.input[1], f"{name}_scales", f"{name}_zero_points"]
        nodes.append(_look_up(inputs, node.output[0], bits, block))
    _replace_nodes(graph, nodes)
    _drop_weights(graph, looked_up - {name for node in nodes for name in node.input})


def _packed_table(table: onnx.TensorProto, bits: int, block: int) -> Iterator[onnx.TensorProto]:
    """Yield the packed rows ``(V, D)``, and the scale and zero point of each block."""
    rows_VD = numpy_helper.to_array(table)
    most = 2**bits - 1
    words, width = rows_VD.shape
    blocks = -(-width // block)
    padded = np.zeros((words, blocks * block), dtype=np.float32)
    padded[:, :width] = rows_VD
    cut = padded.reshape(words, blocks, block)
    low, high = np.minimum(cut.min(-1), 0), np.maximum(cut.max(-1), 0)
    scales = ((high - low) / most).astype(np.float32)
    steps = np.where(scales == 0, 1, scales)
    zero_points = np.rint(-low / steps).clip(0, most)
    values = np.rint(cut / steps[..., None] + zero_points[..., None]).clip(0, most)
    kind = onnx.TensorProto.UINT8 if bits == 8 else onnx.TensorProto.UINT4  # noqa: PLR2004
    rows = values.reshape(words, -1)[:, :width].astype(np.uint8)
    yield helper.make_tensor(f"{table.name}_Q{bits}", kind, rows.shape, rows.ravel())
    yield numpy_helper.from_array(scales, f"{table.name}_scales")
    yield helper.make_tensor(
        f"{table.name}_zero_points", kind, scales.shape, zero_points.astype(np.uint8).ravel()
    )


def _look_up(inputs: list[str], output: str, bits: int, block: int) -> onnx.NodeProto:
    return helper.make_node(
        "GatherBlockQuantized",
        inputs,
        [output],
        domain="com.microsoft",
        gather_axis=0,
        quantize_axis=1,
        block_size=block,
        bits=bits,
    )


def _require_packed(model: onnx.ModelProto) -> None:
    """Check that no large product or table was left as it was: quantisers skip some in silence."""
    whole = dict(_large_floats(model))
    for node in model.graph.node:
        left = whole.keys() & set(node.input)
        # The patches' convolution and the places that are added are 0.2 % of blip-vqa-base.
        if left and node.op_type in _READERS:
            raise NotPacked(f"{min(left)}: onnxruntime does not pack the weights of {node.op_type}")


def _large_floats(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    for tensor in model.graph.initializer:
        matrix = len(tensor.dims) >= _MATRIX and np.prod(tensor.dims) >= _LARGE
        # A scale for each block is a matrix too.
        if tensor.data_type == onnx.TensorProto.FLOAT and matrix and _is_weight(tensor):
            yield tensor.name, tensor


def _is_weight(tensor: onnx.TensorProto) -> bool:
    return not tensor.name.endswith("_scales")


def _untie_tables(model: onnx.ModelProto) -> dict[str, str]:
    """Give a product of its own the embedding table that it shares, and return both their names.

    The quantisers see a product's weight only where it is stored as the product reads it.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes, tables = [], {}
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in weights:
            [permutation] = [attribute.ints for attribute in node.attribute]
            turned = numpy_helper.to_array(weights[node.input[0]]).transpose(list(permutation))
            graph.initializer.append(numpy_helper.from_array(turned.copy(), node.output[0]))
            tables[node.output[0]] = node.input[0]
        else:
            nodes.append(node)
    _replace_nodes(graph, nodes)
    return tables | _turned_tables(graph)


def _turned_tables(graph: onnx.GraphProto) -> dict[str, str]:
    """Return each product's weight that is a table turned already, as exporters do small ones."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    read = {
        kind: {name for node in graph.node if node.op_type == kind for name in node.input}
        for kind in ("MatMul", "Gather")
    }
    tables = [weights[name] for name in sorted(read["Gather"] & weights.keys())]
    return {
        name: table.name
        for name in sorted(read["MatMul"] & weights.keys())
        for table in tables
        if list(weights[name].dims) == list(reversed(table.dims))
        and np.array_equal(numpy_helper.to_array(weights[name]).T, numpy_helper.to_array(table))
    }


def _tie_tables(model: onnx.ModelProto, tables: Mapping[str, str], bits: int) -> None:
    """Let an embedding read the product's weight again, whose rows are packed alike."""
    graph = model.graph
    products = {node.input[1]: node for node in graph.node if node.op_type == "MatMulNBits"}
    tied = {f"{table}_Q{bits}": products[f"{turned}_Q{bits}"] for turned, table in tables.items()}
    nodes, unused = [], set()
    for node in graph.node:
        product = tied.get(node.input[0]) if node.op_type == "GatherBlockQuantized" else None
        sizes = (
            {}
            if product is None
            else {attribute.name: attribute.i for attribute in product.attribute}
        )
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
        nodes.append(_look_up(inputs, node.output[0], bits, sizes["block_size"]))
    _replace_nodes(graph, nodes)
    _drop_weights(graph, unused)


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)


def _drop_weights(graph: onnx.GraphProto, names: set[str]) -> None:
    weights = [tensor for tensor in graph.initializer if tensor.name not in names]
    del graph.initializer[:]
    graph.initializer.extend(weights)
