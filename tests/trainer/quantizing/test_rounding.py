import pytest
import torch

from shared.vqa.packed.grid import group_size
from trainer.quantizing.parts import WHOLE, Part
from trainer.quantizing.rounding import Method, rounded


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_gptq_loses_less_of_what_the_layer_says_than_rounding_by_weights_alone(bits):
    drawn = torch.Generator().manual_seed(3)
    weight = torch.randn(48, 96, generator=drawn)
    inputs = torch.randn(400, 96, generator=drawn) @ torch.randn(96, 96, generator=drawn)
    inputs[:, 5] = 0  # an input that is never there
    part = Part(("layer",), (48, 96), group_size(96, 32))
    lost = {}
    for method in Method:
        grid, codes = rounded(weight, part, bits, method, inputs.T @ inputs)
        assert codes.max() < 2**bits
        lost[method] = (inputs @ (grid.weight(codes) - weight).T).square().mean()
    assert lost[Method.GPTQ] < 0.7 * min(lost[Method.HQQ], lost[Method.NEAREST])


def test_a_part_takes_its_codes_and_its_scales():
    part = Part(("layer",), (10, 64), 32)
    assert part.bytes_at(3) == 10 * 64 * 3 // 8 + 10 * 2 * 4
    assert part.bytes_at(WHOLE) == 10 * 64 * 2
