#!/usr/bin/env bash
# onnxruntime 1.32.0: ONNX's Attention (set 23) and a mask of padding.
#
# Expected: a mask runs that can be broadcast to (batch, heads, queries, keys), as the operator's
#   page says. The most common one, of padding, is (batch, 1, 1, keys): the same for all queries.
# Seen: it is refused at run time, "inconsistent q_sequence_length (between attn_mask and Q)", on a
#   CPU; batch and heads of 1 are broadcast, queries of 1 are not. onnx 1.23.2's checker takes the
#   graph, and its reference gives the result that the same mask repeated for each query has. torch
#   2.13.0 exports scaled_dot_product_attention with such a mask to such a graph.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  'onnxruntime==1.32.0' 'onnx==1.23.2' 'numpy==2.4.6'

cat >"$folder/run.py" <<'PY'
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)
batch, heads, tokens, size = 2, 3, 5, 8
random = np.random.default_rng(0)
states = {name: random.normal(size=(batch, heads, tokens, size)).astype(np.float32) for name in "qkv"}
padding = (np.arange(tokens) < np.array([[5], [3]]))[:, None, None]  # (batch, 1, 1, keys)


def graph_for(mask):
    apart = [batch, heads, tokens, size]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, apart) for name in "qkv"]
    inputs.append(helper.make_tensor_value_info("mask", TensorProto.BOOL, mask.shape))
    node = helper.make_node("Attention", ["q", "k", "v", "mask"], ["y"])
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, apart)]
    graph = helper.make_graph([node], "attention", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
    onnx.checker.check_model(model, full_check=True)
    return model


def by_reference(mask):
    return ReferenceEvaluator(graph_for(mask)).run(None, {**states, "mask": mask})[0]


def by_runtime(mask):
    session = onnxruntime.InferenceSession(
        graph_for(mask).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    try:
        return session.run(None, {**states, "mask": mask})[0]
    except Exception as error:
        return str(error).strip().splitlines()[0].rpartition("false. ")[2]


repeated = np.repeat(padding, tokens, axis=2)
wanted = by_reference(repeated)
same = [np.allclose(by_reference(padding), wanted, atol=1e-5)]
same.append(np.allclose(by_runtime(repeated), wanted, atol=1e-5))
told = by_runtime(padding)
print("reference, (2, 1, 1, 5) as (2, 1, 5, 5):", same[0])
print("onnxruntime, (2, 1, 5, 5) as the reference:", same[1])
print("onnxruntime, (2, 1, 1, 5):", told)
refused = isinstance(told, str) and "inconsistent q_sequence_length" in told
raise SystemExit(0 if all(same) and refused else "changed")
PY
"$folder/venv/bin/python" "$folder/run.py"
