"""Region supervision: the loss by hand, whatever the cut, and attention that moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shared.corpus import read_pairs, write_pairs
from shared.errors import InputError
from shared.records import QAPair
from shared.records.boxes import Box
from tests.models import learner_of_blip, load_float
from tests.trainer.recipes import fit_settings
from tests.trainer.runs import Setup
from trainer.data.dataset import SplitPairs
from trainer.fitting.fit import fit
from trainer.learners.learner import Learner
from trainer.learners.regions import (
    RegionSupervision,
    contrastive_pairs,
    region_losses,
    region_targets,
)
from trainer.recipe.recipe import FitRecipe, LoraRecipe, RegionsRecipe

LEFT, RIGHT, TOP = (Box(0, 0, 0.5, 1),), (Box(0.5, 0, 1, 1),), (Box(0, 0, 1, 0.5),)
ON = RegionsRecipe(weight=1.0)
LORA = LoraRecipe(rank=4, alpha=8, dropout=0.0, targets=("query", "key", "value", "dense"))


def pair(number, boxes, image="a.png"):
    return QAPair(str(number), f"what is part {number}", "red", image, boxes=boxes)


def supervision(pairs, *, contrast=1.0):
    return RegionSupervision(1.0, contrast, (0,), 2, contrastive_pairs(pairs, 2))


def test_a_partner_is_the_next_question_about_the_image_that_looks_elsewhere():
    pairs = [
        pair(0, LEFT),
        pair(1, LEFT),
        pair(2, RIGHT),
        pair(3, ()),
        pair(4, LEFT, "b.png"),
        pair(5, (Box(0, 0, 0.45, 1),), "b.png"),
    ]
    # The two of b.png take the same patches.
    assert contrastive_pairs(pairs, 2) == {
        pairs[0]: pairs[2],
        pairs[1]: pairs[2],
        pairs[2]: pairs[0],
    }


def test_the_loss_is_that_of_the_definition():
    pairs = [pair(0, LEFT), pair(1, TOP), pair(2, ()), pair(3, LEFT, "b.png")]
    targets = region_targets(pairs, supervision(pairs))
    maps = torch.tensor(
        [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1], [0.0, 0.5, 0.0, 0.5]]
    )
    # LEFT is patches 0 and 2, of which TOP leaves 2 alone; TOP is 0 and 1.
    first = -np.log([2 * 0.1, 2 * 0.3]).mean() + 2 * np.log(1 + 0.2 / 0.4)
    second = -np.log([2 * 0.4, 2 * 0.3]).mean() + 2 * np.log(1 + 0.2 / 0.7)
    losses = region_losses(maps, targets, contrast=2.0)
    assert losses.tolist() == pytest.approx([first, second, 0.0, -np.log(2e-6)], rel=1e-5)


def test_a_partner_from_another_micro_batch_comes_along_once():
    pairs = [pair(0, LEFT), pair(1, LEFT), pair(2, RIGHT)]
    targets = region_targets(pairs[:2], supervision(pairs))
    assert (targets.extra, targets.extra_beside) == ((pairs[2],), (0,))
    assert targets.partner_B.tolist() == [2, 2]
    assert region_targets(pairs[:2], supervision(pairs, contrast=0.0)).extra == ()
    assert region_targets([pair(3, ())], supervision(pairs)) is None


def boxed(pairs):
    return [replace(pair, boxes=(LEFT, RIGHT, ())[row % 3]) for row, pair in enumerate(pairs)]


def supervised(model, pictures, **changes):
    folder, pairs = pictures
    run = Setup(learner_of_blip(load_float(model)), (folder, boxed(pairs)), lora=LORA, **changes)
    run.learner.supervise_regions(ON, run.pairs)
    return run


def test_the_loss_does_not_depend_on_how_a_step_is_cut(tiny_model, pictures):
    whole = supervised(tiny_model, pictures, batch=10, cut=1, steps=4)
    parts = supervised(tiny_model, pictures, batch=1, cut=10, steps=4)
    uncut, many = list(whole.steps()), list(parts.steps())
    assert [r.loss for r in many] == pytest.approx([r.loss for r in uncut], rel=1e-4)
    assert [r.grad_norm for r in many] == pytest.approx([r.grad_norm for r in uncut], rel=1e-3)


def test_checkpointed_activations_give_the_same_loss_and_gradient(tiny_model, pictures):
    plain = supervised(tiny_model, pictures, batch=5, steps=3)
    thrifty = supervised(tiny_model, pictures, batch=5, steps=3)
    thrifty.learner.checkpoint_activations()
    usual, other = list(plain.steps()), list(thrifty.steps())
    assert [r.loss for r in other] == pytest.approx([r.loss for r in usual], rel=1e-5)
    assert [r.grad_norm for r in other] == pytest.approx([r.grad_norm for r in usual], rel=1e-4)


def region_loss(run, pairs):
    """What the regions add to the loss of pairs, per answer token."""
    learner = run.learner
    features = run.features.of([pair.filename for pair in pairs])
    rows, examples = range(len(pairs)), learner.tokenise(pairs)
    run.peft.eval()
    with torch.no_grad():
        both = learner.loss_sum(features, rows, examples)
        answers = learner.loss_sum(features, rows, replace(examples, targets=None))
    return float(both - answers) / examples.loss_terms


@pytest.mark.slow
def test_attention_moves_into_the_boxes(tiny_model, pictures):
    run = supervised(tiny_model, pictures, batch=10, steps=60, rate=1e-2)
    # Without extra partners, so that rows and questions are the same.
    run.learner.supervise_regions(RegionsRecipe(weight=1.0, contrast=0.0), run.pairs)
    before = region_loss(run, run.pairs)
    for _ in run.steps():
        pass
    assert region_loss(run, run.pairs) < 0.5 * before


def test_without_a_box_the_loss_is_that_of_the_answers(tiny_model, pictures):
    plain = Setup(learner_of_blip(load_float(tiny_model)), pictures, lora=LORA, steps=2)
    other = Setup(learner_of_blip(load_float(tiny_model)), pictures, lora=LORA, steps=2)
    other.learner.supervise_regions(ON, other.pairs)
    assert list(plain.steps()) == list(other.steps())


def test_a_layer_that_is_not_there_is_refused(tiny_model, pictures):
    learner = learner_of_blip(load_float(tiny_model))
    with pytest.raises(InputError, match=r"regions.layers: there is no layer 3; .* has 1 to 2"):
        learner.supervise_regions(RegionsRecipe(weight=1, layers=(1, 3)), pictures[1])
    learner.supervise_regions(RegionsRecipe(weight=1, layers=(1, 2)), pictures[1])


def test_a_family_without_cross_attention_says_so(tiny_model):
    learner = learner_of_blip(load_float(tiny_model))
    with pytest.raises(InputError, match=r"no cross-attention .* set it to 0"):
        Learner.supervise_regions(learner, ON, [])


@pytest.mark.parametrize(
    ("changes", "boxes", "reason"),
    [
        ({"augment": True}, LEFT, "boxes do not move with an augmented picture"),
        ({}, (), "no training pair of .* has a box"),
    ],
)
def test_what_cannot_be_supervised_is_refused(
    tiny_model, pictures, tmp_path, changes, boxes, reason
):
    folder, pairs = pictures
    settings = fit_settings(tiny_model, tmp_path, regions={"weight": 1.0}, **changes)
    splits = SplitPairs(
        tuple(replace(pair, boxes=boxes, split="train") for pair in pairs[:4]),
        tuple(pairs[4:6]),
        (),
    )
    recipe = FitRecipe.model_validate(settings | {"images": folder})
    with pytest.raises(InputError, match=reason):
        fit(recipe, resume=False, pairs=splits)
    assert not (tmp_path / "out").exists()


def test_a_fit_with_boxes_writes_an_adapter_and_its_data_keeps_them(tiny_model, pictures, tmp_path):
    folder, pairs = pictures
    splits = ("train", "train", "train", "validation")
    data = [
        replace(pair, split=splits[row // 2 % 4], boxes=LEFT if row % 2 else RIGHT)
        for row, pair in enumerate(pairs[:16])
    ]
    write_pairs(data, tmp_path / "pairs.jsonl")
    settings = fit_settings(tiny_model, tmp_path, regions={"weight": 0.5}, epochs=1)
    recipe = FitRecipe.model_validate(settings | {"images": folder, "allow_leaks": True})
    result = fit(recipe, resume=False)
    boxes = {pair.id: pair.boxes for pair in read_pairs(result.adapter / "dataset")}
    assert boxes == {pair.id: pair.boxes for pair in data}
