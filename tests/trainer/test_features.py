"""Features of a frozen tower: computed once, or anew where that would be wrong."""

import pytest
import torch

from shared.errors import CorruptImage
from tests.models import load_float, new_adapter
from trainer.features import FreshFeatures, StoredFeatures, feature_shape, image_features


@pytest.fixture(scope="module")
def model(tiny_model):
    return load_float(tiny_model)


@pytest.fixture(scope="module")
def folder(pictures):
    return pictures[0]


@pytest.fixture(scope="module")
def names(pictures):
    return sorted({pair.filename for pair in pictures[1]})


def test_stored_features_are_the_fresh_ones_in_half_the_bits(model, folder, names):
    asked = [names[3], names[0], names[3]]
    stored = StoredFeatures(model, folder, names).of(asked)
    with torch.no_grad():
        fresh = FreshFeatures(model, folder).of(asked)
    assert stored.shape == fresh.shape == (3, *feature_shape(model))
    assert stored.dtype == fresh.dtype
    assert torch.allclose(stored, fresh, rtol=2**-10, atol=1e-4)
    assert torch.equal(stored, fresh.half().float())


def test_a_frozen_tower_is_stored_where_there_is_room(model, folder, names):
    assert isinstance(image_features(model, folder, names, 1.0), StoredFeatures)
    assert isinstance(image_features(model, folder, names, 0.0), FreshFeatures)


def test_the_reports_targets_leave_the_tower_frozen(tiny_model, folder, names):
    model = load_float(tiny_model)
    new_adapter(model, targets=("query", "key", "value"))
    assert isinstance(image_features(model, folder, names, 1.0), StoredFeatures)


def test_an_adapter_in_the_tower_turns_the_store_off(tiny_model, folder, names):
    model = load_float(tiny_model)
    new_adapter(model, targets=("qkv", "query"))
    features = image_features(model, folder, names, 1.0)
    assert isinstance(features, FreshFeatures)
    features.of(names[:2]).sum().backward()
    gradients = [p.grad for p in model.blip.vision_model.parameters() if p.requires_grad]
    assert gradients
    assert all(gradient is not None for gradient in gradients)


def test_an_image_that_was_not_encoded_is_not_made_up(model, folder, names):
    with pytest.raises(KeyError):
        StoredFeatures(model, folder, names[:2]).of([names[2]])


def test_a_broken_image_is_named(model, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(CorruptImage, match=r"a\.png"):
        FreshFeatures(model, tmp_path).of(["a.png"])
