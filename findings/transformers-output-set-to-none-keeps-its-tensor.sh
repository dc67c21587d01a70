#!/usr/bin/env bash
# transformers 5.17.0 and 5.23.0 (torch 2.13.0): letting go of one tensor of a model's output.
#
# Expected: after `output.last_hidden_state = None` the output is as one that was made without it
#   (its docstring: like a tuple or dictionary "that ignores the None attributes"): no such key, not
#   in to_tuple(), its memory free.
# Seen: the attribute is None, and nothing else has changed. The tensor stays under the key, in
#   to_tuple() and in copies, and its memory with it; len() counts it. `del output[...]`, pop() and
#   update() raise, so that a new output is the only way.
#
# Fails if one of these changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }
pip torch==2.13.0 numpy

cat >"$folder/let_go.py" <<'PY'
import copy
import weakref

import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling

without = BaseModelOutputWithPooling(pooler_output=torch.zeros(1, 2))
output = BaseModelOutputWithPooling(
    last_hidden_state=torch.zeros(1000, 1000), pooler_output=torch.zeros(1, 2)
)
held = weakref.ref(output.last_hidden_state)
output.last_hidden_state = None
print(
    "attribute is None:", output.last_hidden_state is None,
    "| keys:", *output.keys(), "| as made without it:", *without.keys(),
    "| to_tuple:", len(output.to_tuple()), "| copy:", len(copy.copy(output)),
    "| memory held:", held() is not None,
)
refused = []
for what in (lambda: output.__delitem__("last_hidden_state"), lambda: output.pop("last_hidden_state")):
    try:
        what()
        refused.append("works")
    except Exception as error:
        refused.append(type(error).__name__)
print("del, pop:", *refused)
PY

seen() {
  pip "transformers==$1"
  "$folder/venv/bin/python" "$folder/let_go.py" 2>/dev/null
}
wanted="attribute is None: True | keys: last_hidden_state pooler_output | as made without it: pooler_output | to_tuple: 2 | copy: 2 | memory held: True
del, pop: Exception Exception"
for version in 5.17.0 5.23.0; do
  told=$(seen "$version")
  printf 'transformers %s\n%s\n' "$version" "$told"
  [ "$told" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
done
