"""A part of a network as an ONNX graph with float32 weights, whose named axes are dynamic."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from trainer.export.heads import join_heads
from trainer.export.quiet import quiet_logging
from trainer.export.rows import Rows


@dataclass(frozen=True)
class Graph:
    """A module with inputs to trace it with.

    ``dynamic`` names the axes whose size may vary. No two sizes of ``inputs`` may be equal and no
    tensor stand for two of them, or the exporter takes one for the other.
    """

    module: nn.Module
    inputs: Mapping[str, torch.Tensor]
    dynamic: Mapping[str, Mapping[int, str]]
    outputs: Sequence[str]
    rows: Rows = Rows.FEW


def write_graph(graph: Graph, path: Path, opset: int) -> None:
    """Write a graph of an ONNX operator set, without what would name this machine."""
    # Both are of torch's own making, inside its exporter.
    with quiet_logging(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph.module.eval(),
            kwargs=dict(graph.inputs),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_shapes={
                key: dict.fromkeys(graph.dynamic.get(key, {}), torch.export.Dim.DYNAMIC)
                for key in graph.inputs
            },
            opset_version=opset,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    join_heads(program.model)
    model = program.model_proto
    _name_axes(model, graph.dynamic)
    _forget_where_it_was_made(model)
    onnx.save_model(model, path)


def _name_axes(model: onnx.ModelProto, dynamic: Mapping[str, Mapping[int, str]]) -> None:
    """Give the dynamic axes of inputs and outputs their letters instead of the exporter's names."""
    shapes = {
        value.name: value.type.tensor_type.shape.dim
        for value in (*model.graph.input, *model.graph.output)
    }
    letters = {
        shapes[name][axis].dim_param: letter
        for name, axes in dynamic.items()
        for axis, letter in axes.items()
    }
    for shape in shapes.values():
        for size in shape:
            if size.dim_param:
                size.dim_param = re.sub(
                    r"\w+", lambda word: letters.get(word[0], word[0]), size.dim_param
                )


def _forget_where_it_was_made(model: onnx.ModelProto) -> None:
    """Drop notes that name files of this machine, and shapes in between, which are inferred."""
    del model.metadata_props[:]
    del model.graph.value_info[:]
    parts: list[Any] = [*model.functions, model.graph]
    for part in parts:
        for entry in (part, *part.node):
            entry.doc_string = ""
            del entry.metadata_props[:]
