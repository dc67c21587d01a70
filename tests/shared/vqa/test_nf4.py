"""NF4 on a CPU is read as it was stored, whatever the width of a row."""

import pytest
import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from torch import nn

from shared.vqa.formats import exact_weight
from shared.vqa.nf4 import BlocksAcrossRows, read_blocks_as_stored

USUAL_ERROR = 0.1
"""Of normally distributed weights in NF4 with blocks of 64 (0.092 here)."""


def layer_of(width: int, out: int = 48) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    weight = torch.randn(out, width)
    layer = Linear4bit(width, out, quant_type="nf4", compute_dtype=torch.float32)
    layer.weight = Params4bit(
        weight.clone(), requires_grad=False, quant_type="nf4", compress_statistics=True
    )
    network = nn.Sequential(layer.to("cpu"))
    layer.weight.cpu() if layer.weight.quant_state else layer.weight._quantize("cpu")
    read_blocks_as_stored(network)
    return network[0], weight


@pytest.mark.parametrize("width", [32, 96, 160, 128])
def test_the_error_of_a_weight_does_not_depend_on_its_width(width):
    layer, weight = layer_of(width)
    assert isinstance(layer, BlocksAcrossRows) == (width != 128)
    error = (exact_weight(layer) - weight).norm() / weight.norm()
    assert error < USUAL_ERROR


def test_rows_that_end_within_the_last_block_are_read_too():
    layer, weight = layer_of(width=34, out=3)
    error = (exact_weight(layer) - weight).norm() / weight.norm()
    assert error < 1.5 * USUAL_ERROR


def test_a_layer_computes_with_the_weight_that_is_stored_and_passes_gradients_on():
    layer, _ = layer_of(width=160)
    x = torch.randn(5, 160, requires_grad=True)
    y = layer(x)
    torch.testing.assert_close(y, x @ exact_weight(layer).T + layer.bias)
    y.sum().backward()
    torch.testing.assert_close(x.grad, exact_weight(layer).sum(0).expand(5, -1))
