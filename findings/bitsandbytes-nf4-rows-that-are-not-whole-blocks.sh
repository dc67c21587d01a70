#!/usr/bin/env bash
# bitsandbytes 0.50.2 on a CPU (torch 2.13.0): NF4 of a weight whose rows are not whole blocks.
#
# Expected: blocks run over the flattened weight (QLoRA, arXiv:2305.14314), so that rounding and
#   reading back is off by as much whatever the weight's width, about 0.09 of it in blocks of 64.
# Seen: the codes are the same as those of the flattened weight, but dequantize_4bit reads them as
#   if each row began a block: over 0.2 for rows of 160 and 96, 0.09 for rows of 128 and 192. Linear4bit
#   computes with that weight. The flattened weight comes back right.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy bitsandbytes==0.50.2
cat >"$folder/nf4.py" <<'PY'
import torch
from bitsandbytes import functional


def off(weight, shape):
    codes, state = functional.quantize_4bit(weight.reshape(shape), quant_type="nf4", blocksize=64)
    back = functional.dequantize_4bit(codes, state).reshape(weight.shape)
    return float((back - weight).norm() / weight.norm()), codes


torch.manual_seed(0)
for width in (96, 128, 160, 192):
    weight = torch.randn(160, width)
    as_it_is, codes = off(weight, weight.shape)
    flat, flat_codes = off(weight, (-1, 64))
    assert torch.equal(codes.flatten(), flat_codes.flatten())
    many = "about" if as_it_is < 1.1 * flat else "over twice" if as_it_is > 2 * flat else "over"
    print(f"{width}: {many} the {flat:.2f} of rows of 64", end="; ")
PY
seen=$("$folder/venv/bin/python" "$folder/nf4.py" 2>/dev/null)
echo "$seen"
wanted="96: over twice the 0.09 of rows of 64; 128: about the 0.09 of rows of 64; 160: over twice the 0.09 of rows of 64; 192: about the 0.09 of rows of 64; "
[ "$seen" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
