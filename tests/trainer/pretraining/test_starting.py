"""A model goes on from another one's weights, at its own size of images or at a larger one."""

import pytest
import torch
from transformers import AutoTokenizer

from shared.dataset.training_images import TrainingImages, write_training_images
from shared.errors import InputError
from shared.images.fingerprints import fingerprints
from shared.images.source import ImageFolder
from shared.vqa.blip.forward import encode_images
from tests.models import SHAPE, save_tiny_model
from tests.trainer.pretraining.test_run import recipe
from tests.trainer.recipes import write_data
from trainer.pretraining.patches import encode_some_patches
from trainer.pretraining.pretrain import recipe_pairs
from trainer.pretraining.starting import POSITIONS, continued_model, resized_positions

LARGER = SHAPE.model_copy(update={"image_size": 48, "dropout": 0.1})


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("start") / "model")


@pytest.fixture(scope="module")
def continued(start):
    return continued_model(str(start), LARGER)


def test_all_weights_but_the_places_are_those_of_the_start(start, continued):
    model, processor = continued
    same, _ = continued_model(str(start), SHAPE)
    weights, before = model.state_dict(), same.state_dict()
    changed = [name for name, weight in weights.items() if not weight.equal(before[name])]
    assert changed == [POSITIONS]
    assert weights[POSITIONS].shape == (1, 37, 64)
    assert processor.tokenizer.get_vocab() == AutoTokenizer.from_pretrained(start).get_vocab()
    assert processor.image_processor.size["height"] == 48
    assert all(weight.requires_grad for weight in model.parameters())


def test_places_are_resized_as_transformers_does_it(start, continued):
    small, _ = continued_model(str(start), SHAPE)
    tokens_1LD = torch.zeros(1, 37, 64)
    theirs = small.vision_model.embeddings.interpolate_pos_encoding(tokens_1LD, 48, 48)
    mine = resized_positions(small.state_dict()[POSITIONS], 37)
    torch.testing.assert_close(mine, theirs.detach())


def test_another_shape_is_refused_by_the_weight_that_differs(start):
    wider = SHAPE.model_copy(update={"width": 32})
    with pytest.raises(InputError, match=r"of another shape than the recipe says \(.* differ\)"):
        continued_model(str(start), wider)


def test_added_layers_of_the_tower_change_nothing_until_they_are_trained(start):
    deeper = SHAPE.model_copy(update={"vision_layers": SHAPE.vision_layers + 2})
    before, _ = continued_model(str(start), SHAPE)
    after, _ = continued_model(str(start), deeper, texts_anew=True)
    pixels_NCHW = torch.rand(2, 3, SHAPE.image_size, SHAPE.image_size)
    features = [encode_images(model.eval(), pixels_NCHW) for model in (before, after)]
    torch.testing.assert_close(*features)
    last = after.vision_model.encoder.layers[-1].mlp
    assert last.fc1.weight.std() > 0
    texts = [model.text_encoder.state_dict() for model in (before, after)]
    changed = [name for name, weight in texts[0].items() if not weight.equal(texts[1][name])]
    assert "embeddings.word_embeddings.weight" in changed


def test_what_the_start_learned_from_fills_the_training_split(start, tmp_path):
    write_data(tmp_path, 20)
    settings = recipe(tmp_path, tmp_path / "out", columns={"split": ""})
    held_out = {pair.filename for pair in recipe_pairs(settings).test}
    prints = fingerprints(ImageFolder(settings.images), sorted(held_out))
    write_training_images(TrainingImages(pretrained_on=list(prints.values())), start)
    pairs = recipe_pairs(settings.model_copy(update={"start_from": str(start)}))
    assert held_out <= {pair.filename for pair in pairs.train}
    assert pairs.test


def test_a_share_of_the_patches_is_drawn_for_each_image(continued):
    model, _ = continued
    model.eval()
    pixels_NCHW = torch.rand(1, 3, 48, 48).expand(2, -1, -1, -1)
    torch.manual_seed(0)
    some_NLD = encode_some_patches(model, pixels_NCHW, 0.5)
    assert some_NLD.shape == (2, 19, 64)
    assert not some_NLD[0].allclose(some_NLD[1])
    assert encode_some_patches(model, pixels_NCHW, 1.0).equal(encode_images(model, pixels_NCHW))


def test_all_patches_in_another_order_say_the_same_of_the_picture(continued):
    model, _ = continued
    model.eval()
    pixels_NCHW = torch.rand(1, 3, 48, 48)
    # The largest share below 1 leaves no patch out here, but shuffles them.
    shuffled = encode_some_patches(model, pixels_NCHW, 0.999)
    whole = encode_images(model, pixels_NCHW)
    assert shuffled.shape == whole.shape
    torch.testing.assert_close(shuffled[:, 0], whole[:, 0])
    assert not shuffled[:, 1:].allclose(whole[:, 1:])
