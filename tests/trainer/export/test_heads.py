"""Attention as one operator: heads are split by it where they can be, and answers stay."""

import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from trainer.export.bundle import graph_path
from trainer.export.graphs import Graph, write_graph
from trainer.export.heads import MaskNotTaken
from trainer.export.targets import Target
from trainer.export.variants import Variant

pytestmark = pytest.mark.xdist_group("export")  # its graphs are made once

HEADS, SIZE = 4, 6


class Layer(nn.Module):
    """Attention among states, with fewer heads of keys, and a mask."""

    def __init__(self, key_heads=HEADS, *, shows_keys=False, joins=True, rows=True, twice=False):
        super().__init__()
        self.queries = nn.Linear(5, HEADS * SIZE)
        self.keys, self.values = (nn.Linear(5, key_heads * SIZE) for _ in range(2))
        self.after = nn.Linear(HEADS * SIZE if joins else SIZE, 3)
        self.shows_keys, self.joins, self.rows, self.twice = shows_keys, joins, rows, twice

    def forward(self, states, mask):
        apart = [
            projection(states).unflatten(-1, (-1, SIZE)).transpose(1, 2)
            for projection in (self.queries, self.keys, self.values)
        ]
        gathered = len({part.shape[1] for part in apart}) > 1
        seen = mask.bool()[:, None, None]
        seen = seen.expand(-1, -1, states.shape[1], -1) if self.rows else seen
        given = scaled_dot_product_attention(*apart, attn_mask=seen, enable_gqa=gathered)
        heads = given
        given = self.after(given.transpose(1, 2).flatten(2) if self.joins else given)
        if self.twice:
            return given, heads.sum(-1)
        return given, apart[1] if self.shows_keys else given[:1]


def written(module, path):
    inputs = {"states": torch.zeros(2, 3, 5), "mask": torch.ones(2, 3, dtype=torch.long)}
    axes = {"states": {0: "B", 1: "T"}, "mask": {0: "B", 1: "T"}}
    write_graph(Graph(module, inputs, axes, ("given", "shown")), path, Target.ONNX.opset)
    return onnx.load(path).graph.node


def attention_of(nodes):
    [node] = [node for node in nodes if node.op_type == "Attention"]
    return {attribute.name: attribute.i for attribute in node.attribute}


def same_as_torch(module, path):
    states = torch.randn(3, 7, 5)
    mask = torch.arange(7)[None] < torch.tensor([[7], [4], [1]])
    with torch.no_grad():
        wanted = module(states, mask)
    session = onnxruntime.InferenceSession(path)
    got = session.run(None, {"states": states.numpy(), "mask": mask.long().numpy()})
    return all(
        torch.allclose(one, torch.tensor(other), atol=1e-6)
        for one, other in zip(wanted, got, strict=True)
    )


@pytest.mark.parametrize("key_heads", [HEADS, 2])
def test_attention_splits_heads_itself(tmp_path, key_heads):
    module, path = Layer(key_heads).eval(), tmp_path / "graph.onnx"
    nodes = written(module, path)
    sizes = attention_of(nodes)
    assert (sizes["q_num_heads"], sizes["kv_num_heads"]) == (HEADS, key_heads)
    assert "Transpose" not in {node.op_type for node in nodes}
    assert same_as_torch(module, path)


def test_keys_that_something_else_reads_too_stay(tmp_path):
    module, path = Layer(shows_keys=True).eval(), tmp_path / "graph.onnx"
    nodes = written(module, path)
    assert attention_of(nodes)["q_num_heads"] == HEADS
    assert [node.op_type for node in nodes].count("Transpose") == 1
    assert same_as_torch(module, path)


def test_heads_that_nothing_joins_stay_apart(tmp_path):
    module, path = Layer(joins=False).eval(), tmp_path / "graph.onnx"
    assert not attention_of(written(module, path)).get("q_num_heads")
    assert same_as_torch(module, path)


def test_heads_that_are_read_twice_stay_apart(tmp_path):
    module, path = Layer(twice=True).eval(), tmp_path / "graph.onnx"
    assert not attention_of(written(module, path)).get("q_num_heads")
    assert same_as_torch(module, path)


class Turned(Layer):
    """Joins what it gives in another order than heads are split in."""

    def forward(self, states, mask):
        apart = [
            projection(states).unflatten(-1, (-1, SIZE)).transpose(1, 2)
            for projection in (self.queries, self.keys, self.values)
        ]
        given = scaled_dot_product_attention(*apart).permute(0, 2, 3, 1).flatten(2)
        return self.after(given), self.after(given)[:1] * mask[:1].sum()


def test_heads_that_are_joined_otherwise_stay_apart(tmp_path):
    module, path = Turned().eval(), tmp_path / "graph.onnx"
    assert not attention_of(written(module, path)).get("q_num_heads")
    assert same_as_torch(module, path)


def test_a_mask_with_one_row_for_all_queries_is_refused(tmp_path):
    with pytest.raises(MaskNotTaken, match="a row for each query"):
        written(Layer(rows=False).eval(), tmp_path / "graph.onnx")


def test_a_picture_passes_no_transposition_on_its_way_through_the_layers(bundles):
    graph = onnx.load(graph_path(bundles / Variant.FLOAT32, "image_encoder")).graph
    kinds = [node.op_type for node in graph.node]
    layer = kinds[kinds.index("Split") : kinds.index("Gelu")]
    assert "Attention" in layer
    assert not {"Transpose", "Reshape", "Slice", "Squeeze"} & set(layer)


def test_tensorrt_is_given_attention_in_its_parts(tmp_path):
    inputs = {"states": torch.zeros(2, 3, 5), "mask": torch.ones(2, 3, dtype=torch.long)}
    graph, path = Graph(Layer(), inputs, {}, ("given", "shown")), tmp_path / "graph.onnx"
    write_graph(graph, path, Target.TENSORRT.opset)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "Attention" not in kinds
    assert "Softmax" in kinds
