"""A packed layer and its adapter are rounded together, in training and for good."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from shared.vqa.packed.grid import spanned
from shared.vqa.packed.layers import PackedLinear, packed_linear
from shared.vqa.packed.together import round_together, sum_of, take_adapter


@pytest.fixture
def peft():
    """One packed layer of 2 bits with an adapter that moves many of its codes."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(32, 24).requires_grad_(requires_grad=False)
    grid = spanned(layer.weight, 2, 16)
    holder = torch.nn.Sequential(packed_linear(layer, grid, grid.codes(layer.weight)))
    made = get_peft_model(holder, LoraConfig(target_modules=["0"], r=4, lora_dropout=0.0))
    with torch.no_grad():
        made.base_model.model[0].lora_B["default"].weight.normal_(0, 0.1)
    return made


def packed_of(peft) -> PackedLinear:
    return peft.base_model.model[0].get_base_layer()


def learned(peft):
    return [weight for weight in peft.parameters() if weight.requires_grad]


def test_the_sum_is_rounded_and_the_base_alone_stays_as_it_was(peft):
    states = torch.randn(5, 32)
    layer, base = peft.base_model.model[0], packed_of(peft)
    plain, alone = peft(states), base(states)
    round_together(peft)
    rounded = base.grid.weight(base.grid.codes(sum_of(layer, base)))
    expected = torch.nn.functional.linear(states, rounded, base.bias)
    assert peft(states).equal(expected)
    assert not expected.allclose(plain, atol=1e-3)
    assert (rounded != base.weight).float().mean() > 0.1
    with peft.disable_adapter():
        assert peft(states).equal(alone)


def test_gradients_pass_the_rounding_as_if_it_were_not_there(peft):
    with torch.no_grad():
        # So small that nothing leaves the grid.
        peft.base_model.model[0].lora_B["default"].weight.mul_(0.01)
    states = torch.randn(5, 32)
    expected = torch.autograd.grad(peft(states).sum(), learned(peft))
    round_together(peft)
    for gradient, reference in zip(
        torch.autograd.grad(peft(states).sum(), learned(peft)), expected, strict=True
    ):
        assert reference.abs().max() > 0
        torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-5)


def test_a_weight_far_outside_the_grid_is_pulled_no_further(peft):
    round_together(peft)
    with torch.no_grad():
        peft.base_model.model[0].lora_B["default"].weight.fill_(1e3)
    gradients = torch.autograd.grad(peft(torch.randn(5, 32)).sum(), learned(peft))
    assert all(gradient.abs().max() == 0 for gradient in gradients)


def test_merged_for_good_the_layer_computes_the_same_in_as_many_bytes(peft):
    states = torch.randn(5, 32)
    round_together(peft)
    with torch.no_grad():
        before = peft(states)
    base, size = packed_of(peft), len(packed_of(peft).codes)
    take_adapter(peft)
    assert peft.unload()(states).equal(before)
    assert len(base.codes) == size
