"""Regions behind answers and questions."""

import numpy as np
import pytest

from shared.vqa.blip.grounding import default_layer, grounding_regions, strongest_patches
from shared.vqa.blip.inference import remember_images
from tests.models import QUESTIONS, SHAPE, load_float, load_nf4

PATCHES = (SHAPE.image_size // SHAPE.patch_size) ** 2
ANSWERS = ("red", "square triangle", "yes", "four", "no", "blue circle")


@pytest.fixture(scope="module", params=[load_float, load_nf4], ids=["float32", "nf4"])
def model(request, tiny_model):
    return request.param(tiny_model)


@pytest.fixture(scope="module")
def memory(model, images):
    return remember_images(model, images)


def regions(model, memory, answers=ANSWERS, image_of=(0, 1, 2, 3, 0, 1)):
    return grounding_regions(model, memory, image_of, QUESTIONS, answers)


def test_maps_have_one_finite_value_of_at_least_zero_for_each_patch(model, memory):
    for region in regions(model, memory):
        for values in (region.answer_map_P, region.question_map_P):
            assert values.shape == (PATCHES,)
            assert np.isfinite(values).all()
            assert (values >= 0).all()


def test_every_map_marks_some_patches_and_not_all(model, memory):
    # The question "what" has one inner token, so that its map is not all zero either.
    for region in regions(model, memory):
        assert 0 < region.question_region.sum() < PATCHES
        assert 0 < region.answer_region.sum() < PATCHES


def test_the_answer_decides_its_own_map_alone(model, memory):
    before = regions(model, memory)
    after = regions(model, memory, ("green", *ANSWERS[1:]))
    assert not np.allclose(before[0].answer_map_P, after[0].answer_map_P, rtol=1e-3, atol=0)
    assert np.allclose(before[0].question_map_P, after[0].question_map_P, rtol=1e-5)
    for old, new in zip(before[1:], after[1:], strict=True):
        assert np.allclose(old.answer_map_P, new.answer_map_P, rtol=1e-3, atol=1e-9)


def test_a_batch_gives_what_single_questions_give(model, memory):
    image_of = (0, 1, 2, 3, 0, 1)
    together = regions(model, memory)
    for index, whole in enumerate(together):
        part = slice(index, index + 1)
        [single] = grounding_regions(model, memory, image_of[part], QUESTIONS[part], ANSWERS[part])
        for alone, many in (
            (single.answer_map_P, whole.answer_map_P),
            (single.question_map_P, whole.question_map_P),
        ):
            assert np.allclose(alone, many, rtol=1e-3, atol=1e-6 * many.max())


def test_no_gradient_stays_in_the_model(model, memory):
    regions(model, memory)
    assert all(weight.grad is None for weight in model.blip.parameters())
    assert memory.features_NLD.grad is None


def test_an_empty_answer_has_an_empty_region(model, memory):
    [region] = grounding_regions(model, memory, [0], QUESTIONS[:1], [""])
    assert not region.answer_map_P.any()
    assert not region.answer_region.any()


def test_no_question_has_no_region(model, memory):
    assert grounding_regions(model, memory, [], [], []) == []


def test_the_layer_read_is_two_thirds_up():
    assert [default_layer(count) for count in (1, 2, 3, 12)] == [0, 1, 1, 7]


@pytest.mark.parametrize(
    ("values", "mass", "marked"),
    [
        ([1, 5, 2, 2], 0.5, [0, 1, 0, 0]),
        ([1, 5, 2, 2], 0.51, [0, 1, 1, 0]),
        ([1, 1, 1, 1], 0.5, [1, 1, 0, 0]),
        ([0, 0, 0, 0], 0.5, [0, 0, 0, 0]),
        ([3, 0, 0, 1], 1.0, [1, 0, 0, 1]),
    ],
)
def test_a_region_is_the_fewest_patches_that_hold_its_share(values, mass, marked):
    region = strongest_patches(np.array(values, dtype=np.float32), mass)
    assert region.astype(int).tolist() == marked
