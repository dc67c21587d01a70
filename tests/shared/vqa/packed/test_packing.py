import pytest
import torch

from shared.vqa.packed.packing import BITS, packed, unpacked
from shared.vqa.packed.record import packed_length


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 8), (7, 40), (160, 33)])
def test_codes_come_back_from_as_many_bits_as_they_have(bits, shape):
    codes = torch.randint(2**bits, shape, generator=torch.Generator().manual_seed(1))
    bytes_ = packed(codes.to(torch.uint8), bits)
    assert bytes_.dtype == torch.uint8
    assert len(bytes_) == packed_length(shape, bits) <= (codes.numel() * bits) / 8 + bits
    assert unpacked(bytes_, bits, shape).equal(codes.to(torch.uint8))
