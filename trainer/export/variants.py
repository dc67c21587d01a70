"""The forms in which a graph's weights are stored: whole, or rounded to 16, 8 or 4 bits."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from trainer.export.quiet import quiet_logging

INT4_BLOCK: Final = 32
"""Weights that share a scale and a zero point: 32 x 4 + 32 + 4 bits, 5.1 bits a weight."""

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
            _untranspose_weights(model)
            model = _int8(model)
        case Variant.INT4:
            _untranspose_weights(model)
            model = _int4(model)
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
                block_size=INT4_BLOCK, op_types_to_quantize=("MatMul", "Gather")
            ),
        )
        quantizer.process()
    rounded: onnx.ModelProto = quantizer.model.model
    return rounded


def _untranspose_weights(model: onnx.ModelProto) -> None:
    """Give a product of its own a weight that it shares, turned, with an embedding table.

    The quantisers see a product's weight only where it is stored as the product reads it.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in weights:
            [permutation] = [attribute.ints for attribute in node.attribute]
            turned = numpy_helper.to_array(weights[node.input[0]]).transpose(list(permutation))
            graph.initializer.append(numpy_helper.from_array(turned.copy(), node.output[0]))
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
