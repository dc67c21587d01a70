"""Each family is rounded in all its parts, tables of its own kind too, and says nearly the same."""

from dataclasses import replace

import pytest
import torch

from shared.vqa.packed.folder import unpack, write_packed_network
from shared.vqa.packed.layers import PackedEmbedding
from shared.vqa.packed.record import PackedPart, PackedRecord, write_packed_record
from tests.trainer.learners.chat.models import trainable
from tests.trainer.learners.families import SAVED, draw_noise, load_learner
from trainer.merging.merge import save_beside_weights
from trainer.quantizing.measuring.calibration import Calibration, Exact
from trainer.quantizing.rounding import Method
from trainer.quantizing.sensitivity import Rounder

CHAT = ("gemma3", "paligemma2", "qwen2_5_vl", "smolvlm")
FAST = ("blip2-opt", "gemma3")
"""Those whose tables add a place or a factor of their own."""
NAMES = [
    name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in (*SAVED, *CHAT)
]

# PaliGemma's processor itself does what numpy will not allow.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise") / "images"
    return folder, draw_noise(folder)


def saved(name, folder):
    if name in SAVED:
        return SAVED[name](folder / name)
    pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
    pytest.importorskip("num2words", reason="the extra `model` brings num2words")
    return trainable(name)


@pytest.mark.parametrize("name", NAMES)
def test_in_8_bits_it_says_nearly_what_it_said(noise, name, tmp_path):
    learner = load_learner(saved(name, tmp_path))
    images, pairs = noise
    calibration = Calibration(learner, pairs, images)
    exact, rounder = Exact(calibration), Rounder(learner)
    plan = rounder.all_in(8)
    with rounder.in_bits(plan, Method.NEAREST):
        assert 0 < exact.lost(sees_otherwise=True) < 1
    rounder.round_for_good(plan, Method.NEAREST)
    tables = {
        layer: module
        for layer, module in learner.model.network.named_modules()
        if isinstance(module, PackedEmbedding)
    }
    said = torch.cat(list(calibration.log_probabilities(calibration.features(), exact.answers)))

    folder = tmp_path / "packed"
    shared = write_packed_network(learner.model.network, folder)
    parts = tuple(
        PackedPart(part.names, part.shape, bits, part.group) for part, bits in plan.items()
    )
    write_packed_record(PackedRecord(parts, shared, "", "", "nearest"), folder, folder)
    save_beside_weights(learner.model, folder)
    again = replace(calibration, learner=load_learner(folder))
    read = torch.cat(list(again.log_probabilities(again.features(), exact.answers)))
    # What is not packed is stored in 16 bits.
    assert (read.exp() - said.exp()).abs().max() < 0.01

    unpack(learner.model.network)
    plain = torch.cat(list(calibration.log_probabilities(calibration.features(), exact.answers)))
    assert torch.allclose(plain, said, atol=1e-4)
    for layer, packed in tables.items():
        kind = type(learner.model.network.get_submodule(layer))
        assert issubclass(type(packed), kind)
        assert not issubclass(kind, PackedEmbedding)
