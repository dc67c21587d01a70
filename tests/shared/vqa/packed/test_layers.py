import pytest
import torch
from peft import LoraConfig, get_peft_model

from shared.vqa.packed.grid import group_size, half_quadratic, spanned
from shared.vqa.packed.layers import packed_embedding, packed_linear


@pytest.fixture
def weight():
    drawn = torch.randn(24, 80, generator=torch.Generator().manual_seed(0))
    drawn[3] = 0  # a row of zeros has no scale
    return drawn


def layer_of(weight):
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer.requires_grad_(requires_grad=False)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_packed_layer_computes_with_the_rounded_weight_and_passes_gradients(weight, bits):
    layer = layer_of(weight)
    grid = spanned(weight, bits, group_size(80))
    packed = packed_linear(layer, grid, grid.codes(weight))
    rounded = grid.weight(grid.codes(weight))
    assert packed.weight.equal(rounded)
    assert packed.weight[3].abs().max() == 0
    states = torch.randn(5, 80, requires_grad=True)
    expected = torch.nn.functional.linear(states, rounded, layer.bias)
    assert torch.allclose(packed(states), expected, atol=1e-5)
    [gradient] = torch.autograd.grad(packed(states).square().sum(), states)
    [reference] = torch.autograd.grad(expected.square().sum(), states)
    assert torch.allclose(gradient, reference, rtol=1e-4, atol=1e-4)


def test_half_quadratic_zero_points_lose_less_than_round_to_nearest():
    heavy = torch.distributions.StudentT(3.0).sample((64, 128))
    for bits in (2, 3):
        near, better = spanned(heavy, bits, 64), half_quadratic(heavy, bits, 64)
        lost = [(g.weight(g.codes(heavy)) - heavy).abs().mean() for g in (near, better)]
        assert lost[1] < lost[0]


def test_a_packed_table_gives_the_rows_that_are_asked_for(weight):
    table = torch.nn.Embedding.from_pretrained(weight)
    grid = spanned(weight, 3, 40)
    packed = packed_embedding(table, grid, grid.codes(weight))
    ids = torch.tensor([[0, 3], [23, 7]])
    assert packed(ids).equal(grid.weight(grid.codes(weight))[ids])


def test_peft_puts_its_adapter_on_a_packed_layer(weight):
    grid = spanned(weight, 4, 40)
    holder = torch.nn.Sequential(packed_linear(layer_of(weight), grid, grid.codes(weight)))
    peft = get_peft_model(holder, LoraConfig(target_modules=["0"], r=2))
    peft(torch.randn(3, 80)).sum().backward()
    learned = [p.grad for p in peft.parameters() if p.requires_grad]
    assert len(learned) == 2
    assert any(gradient.abs().sum() > 0 for gradient in learned)
