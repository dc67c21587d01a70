"""Features of a frozen tower: computed once, or anew where that would be wrong."""

import os
import shutil

import pytest
import torch

from shared.errors import CorruptImage
from shared.files.digests import file_digest
from tests.models import learner_of_blip, load_float, load_nf4, new_adapter, save_tiny_model
from trainer.data.features import (
    AugmentedFeatures,
    FreshFeatures,
    StoredFeatures,
    image_features,
)
from trainer.learners.learner import TokenLimits


@pytest.fixture(scope="module")
def learner(tiny_model):
    return learner_of_blip(load_float(tiny_model))


@pytest.fixture(scope="module")
def folder(pictures):
    return pictures[0]


@pytest.fixture(scope="module")
def names(pictures):
    return sorted({pair.filename for pair in pictures[1]})


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def features_for(learner, folder, names, store, gib=1.0, *, augmented=False):
    return image_features(
        learner,
        folder,
        training=names[:-2],
        held_out=names[-2:],
        augmented=augmented,
        store=store,
        store_gib=gib,
    )


def test_stored_features_are_the_fresh_ones_in_half_the_bits(learner, folder, names, store):
    asked = [names[3], names[0], names[3]]
    stored = StoredFeatures(learner, folder, names, store).of(asked)
    with torch.no_grad():
        fresh = FreshFeatures(learner, folder).of(asked)
    for half, exact in zip(stored, fresh, strict=True):
        assert half.shape == exact.shape == learner.feature_shape
        assert half.dtype == exact.dtype
        assert torch.allclose(half, exact, rtol=2**-10, atol=1e-4)
        assert torch.equal(half, exact.half().float())


def kinds(features):
    return type(features.training), type(features.held_out)


def test_a_frozen_tower_is_stored_where_there_is_room(learner, folder, names, store):
    features = features_for(learner, folder, names, store)
    assert kinds(features) == (StoredFeatures, StoredFeatures)
    assert kinds(features_for(learner, folder, names, store, 0.0)) == (FreshFeatures, FreshFeatures)


def test_the_reports_targets_leave_the_tower_frozen(tiny_model, folder, names, store):
    model = load_float(tiny_model)
    learner = learner_of_blip(model)
    new_adapter(model, targets=("query", "key", "value"))
    assert kinds(features_for(learner, folder, names, store)) == (StoredFeatures, StoredFeatures)


def test_images_are_encoded_once_for_all_runs(learner, folder, names, store):
    features_for(learner, folder, names, store)
    written = {file: file.stat().st_ctime_ns for file in store.rglob("*.safetensors")}
    # Same bytes, same features: two names may share a file, and nothing is encoded twice.
    StoredFeatures(learner, folder, names, store)
    assert {file: file.stat().st_ctime_ns for file in store.rglob("*.safetensors")} == written
    assert len(written) == len(names)


def test_another_model_or_precision_has_features_of_its_own(
    learner, folder, names, store, tmp_path
):
    save_tiny_model(tmp_path / "other", seed=9)
    others = (load_float(tmp_path / "other"), load_nf4(tmp_path / "other"))
    for other in (learner, *map(learner_of_blip, others)):
        StoredFeatures(other, folder, names[:2], store)
    assert len(list(store.iterdir())) == 3


def test_an_image_that_changed_is_encoded_again(learner, folder, names, store, tmp_path):
    shutil.copy(folder / names[0], tmp_path / "a.png")
    before = StoredFeatures(learner, tmp_path, ["a.png"], store).of(["a.png"])
    shutil.copy(folder / names[5], tmp_path / "a.png")
    after = StoredFeatures(learner, tmp_path, ["a.png"], store).of(["a.png"])
    assert not torch.equal(before[0], after[0])


def test_what_was_used_longest_ago_makes_room(learner, folder, names, store):
    StoredFeatures(learner, folder, names[:6], store)
    files = {name: _file_of(learner, folder, name, store) for name in names[:6]}
    for age, name in enumerate(names[:6]):
        os.utime(files[name], (1000 - age, 1000 - age))
    each = files[names[0]].stat().st_size
    # Four of the six are wanted and two are new: there is room for seven, so one has to go; how
    # long a file will be is known roughly.
    wanted = [*names[:4], *names[6:8]]
    features_for(learner, folder, wanted, store, gib=7.5 * each / 2**30)
    left = {name for name, file in files.items() if file.is_file()}
    assert left == set(names[:5])


def _file_of(learner, folder, name, store):
    return next(store.rglob(f"{file_digest(folder / name)}.safetensors"))


def test_augmented_images_are_encoded_anew_and_held_out_ones_are_not_augmented(
    learner, folder, names, store, capsys
):
    features = features_for(learner, folder, names, store, augmented=True)
    assert kinds(features) == (AugmentedFeatures, StoredFeatures)
    # On stdout or stderr, by whether a command set the log up before.
    assert "images are augmented" in "".join(capsys.readouterr())
    asked = [names[0], names[0], names[1]]
    with torch.no_grad():
        torch.manual_seed(1)
        once = torch.stack(features.training.of(asked))
        again = torch.stack(features.training.of(asked))
        torch.manual_seed(1)
        as_before = torch.stack(features.training.of(asked))
    assert torch.equal(once[0], once[1])
    assert once.shape == (3, *learner.feature_shape)
    assert not torch.equal(once, again)
    assert torch.equal(once, as_before)


def test_an_adapter_in_the_tower_turns_the_store_off(tiny_model, folder, names, store):
    model = load_float(tiny_model)
    learner = learner_of_blip(model)
    new_adapter(model, targets=("qkv", "query"))
    features = features_for(learner, folder, names, store).training
    assert isinstance(features, FreshFeatures)
    assert not store.exists()
    torch.stack(features.of(names[:2])).sum().backward()
    gradients = [p.grad for p in model.blip.vision_model.parameters() if p.requires_grad]
    assert gradients
    assert all(gradient is not None for gradient in gradients)


def test_an_image_that_was_not_encoded_is_not_made_up(learner, folder, names, store):
    with pytest.raises(KeyError):
        StoredFeatures(learner, folder, names[:2], store).of([names[2]])


def test_a_broken_image_is_named(learner, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(CorruptImage, match=r"a\.png"):
        FreshFeatures(learner, tmp_path).of(["a.png"])


def test_what_half_the_bits_do_not_hold_is_stored_in_all_of_them(learner, folder, names, store):
    class Large(type(learner)):
        def encode(self, pixels):
            return [image * 1e6 for image in super().encode(pixels)]

    large = Large(learner.answerer, TokenLimits(64, 64))
    [stored] = StoredFeatures(large, folder, names[:1], store).of(names[:1])
    with torch.no_grad():
        [fresh] = FreshFeatures(large, folder).of(names[:1])
    assert fresh.abs().max() > torch.finfo(torch.float16).max
    assert torch.equal(stored, fresh)
