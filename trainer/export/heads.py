"""Attention that takes and gives heads side by side, as linear layers give and take them.

An attention with its heads apart, ``(B, K, T, E)``, stands between transpositions that copy all
that goes in and comes out. ONNX's Attention splits and joins heads itself where it is given
``(B, T, D)``: a picture is encoded in nine tenths of the time (onnxruntime 1.32, blip-vqa-tiny in
int8).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from shared.errors import AboVqaError

_APART: Final = (0, 2, 1, 3)
"""The transposition between ``(B, T, K, E)`` and ``(B, K, T, E)``."""
_QUERIES_KEYS_VALUES: Final = 3
_MASK: Final = 3
"""The input after these."""


class MaskNotTaken(AboVqaError):
    """An attention has a mask that onnxruntime does not run with."""


def join_heads(model: ir.Model) -> None:
    """Give each Attention states ``(B, T, D)``, where its heads are split off for it alone.

    Raises:
        MaskNotTaken: a mask has one row for all queries. onnxruntime 1.32 does not run with it, and
            1.24 computes something else.
    """
    for node in list(model.graph):
        if node.op_type == "Attention":
            _require_rows(node)
            _join(node)
    RemoveUnusedNodesPass()(model)


def _require_rows(attention: ir.Node) -> None:
    if len(attention.inputs) <= _MASK:
        return
    queries, mask = attention.inputs[0], attention.inputs[_MASK]
    if queries is None or queries.shape is None or mask is None or mask.shape is None:
        return
    if mask.shape[-2] == 1 != queries.shape[-2]:
        raise MaskNotTaken(f"{mask.name}: give this mask of an attention a row for each query")


def _join(attention: ir.Node) -> None:
    apart = attention.inputs[:_QUERIES_KEYS_VALUES]
    together = [_before_split(heads) for heads in apart]
    joined = _after_join(attention.outputs[0])
    queries, keys = apart[:2]
    if joined is None or None in together or queries is None or keys is None:
        return
    for place, states in enumerate(together):
        attention.replace_input_with(place, states)
    attention.attributes["q_num_heads"] = ir.AttrInt64("q_num_heads", _heads(queries))
    attention.attributes["kv_num_heads"] = ir.AttrInt64("kv_num_heads", _heads(keys))
    attention.outputs[0].shape = joined.shape
    joined.replace_all_uses_with(attention.outputs[0])


def _before_split(heads: ir.Value | None) -> ir.Value | None:
    """Return states ``(B, T, D)`` that ``heads`` ``(B, K, T, E)`` were split from."""
    reshape = _made_by("Reshape", _transposed(heads))
    states = None if reshape is None else reshape.inputs[0]
    if reshape is None or not _is_split(states, reshape.outputs[0]):
        return None
    return states


def _after_join(heads: ir.Value) -> ir.Value | None:
    """Return states ``(B, T, D)`` that heads are joined to, where nothing else is made of them."""
    transpose = _only_reader(heads)
    if transpose is None or not _sets_apart(transpose):
        return None
    turned = transpose.outputs[0]
    reshape = _only_reader(turned)
    if reshape is None or reshape.op_type != "Reshape":
        return None
    states = reshape.outputs[0]
    return states if _is_split(states, turned) and not states.is_graph_output() else None


def _only_reader(value: ir.Value) -> ir.Node | None:
    readers = [use.node for use in value.uses()]
    return readers[0] if len(readers) == 1 and not value.is_graph_output() else None


def _transposed(value: ir.Value | None) -> ir.Value | None:
    node = _made_by("Transpose", value)
    return node.inputs[0] if node is not None and _sets_apart(node) else None


def _made_by(kind: str, value: ir.Value | None) -> ir.Node | None:
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type == kind else None


def _sets_apart(node: ir.Node) -> bool:
    turns = node.attributes.get("perm")
    return node.op_type == "Transpose" and turns is not None and turns.as_ints() == _APART


def _is_split(states: ir.Value | None, parts: ir.Value) -> bool:
    """Return whether ``parts`` are ``(B, T, K, E)`` and ``states`` the same as ``(B, T, D)``."""
    if states is None or states.shape is None or parts.shape is None:
        return False
    if len(parts.shape) != len(_APART) or len(states.shape) != len(_APART) - 1:
        return False
    *outer, heads, size = parts.shape
    if not isinstance(heads, int) or not isinstance(size, int) or _is_unknown(outer):
        return False
    return [*outer, heads * size] == list(states.shape)


def _is_unknown(sizes: Sequence[int | ir.SymbolicDim]) -> bool:
    """Return whether a size has no name, so that it may be another than one like it."""
    return any(isinstance(size, ir.SymbolicDim) and size.value is None for size in sizes)


def _heads(apart: ir.Value) -> int:
    assert apart.shape is not None, "it was split"
    heads = apart.shape[1]
    assert isinstance(heads, int), "of the model's own sizes"
    return heads
