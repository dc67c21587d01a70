#!/usr/bin/env bash
# onnxruntime 1.32.0: quantize_dynamic, and rows of a batch.
#
# Expected: a row's output does not depend on the rows beside it, as in float32.
# Seen: it does. The inputs of a MatMul are quantised with one scale and one zero point for the whole
#   batch (DynamicQuantizeLinear has no axis), so a row with large values makes those beside it
#   coarse: another batch size, another order, another last batch are other outputs, with no warning.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  'onnxruntime==1.32.0' 'onnx==1.23.2' 'numpy==2.4.6'

cat >"$folder/run.py" <<'PY'
import logging, sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
folder = sys.argv[1]
random = np.random.default_rng(0)
weights = numpy_helper.from_array(random.normal(size=(16, 8)).astype(np.float32), "weights")
graph = helper.make_graph(
    [helper.make_node("MatMul", ["rows", "weights"], ["out"])],
    "product",
    [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", 16])],
    [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 8])],
    [weights],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
onnx.save(model, f"{folder}/float32.onnx")
quantize_dynamic(f"{folder}/float32.onnx", f"{folder}/int8.onnx", weight_type=QuantType.QInt8)
row, other = random.normal(size=(2, 1, 16)).astype(np.float32)


def off_by(name, beside):
    session = onnxruntime.InferenceSession(f"{folder}/{name}.onnx")
    alone = session.run(None, {"rows": row})[0][0]
    together = session.run(None, {"rows": np.vstack([row, beside])})[0][0]
    return float(np.abs(alone - together).max() / np.abs(alone).max())


for name, beside in (("same row again", row), ("20 times another", 20 * other)):
    print(f"{name}: float32 {off_by('float32', beside):.1%}, int8 {off_by('int8', beside):.1%}")
exact = max(off_by("float32", row), off_by("float32", 20 * other), off_by("int8", row)) < 1e-6
raise SystemExit(0 if exact and off_by("int8", 20 * other) > 0.01 else "changed")
PY
"$folder/venv/bin/python" "$folder/run.py" "$folder"
