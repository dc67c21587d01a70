"""The loop learns, leaves the base alone, and goes on from a checkpoint as if never stopped."""

import pytest
import torch

from shared.errors import InputError
from tests.models import TEXT_TARGETS, learner_of_blip, load_float, load_nf4
from tests.trainer.runs import DROPOUT, Setup, base_weights
from trainer.data.features import FreshFeatures
from trainer.data.heldout import held_out_exact_match, seen_anew
from trainer.fitting.adapter import add_adapter, matched_layers, trainable_parameters
from trainer.learners.blip import REPORT_TARGETS
from trainer.recipe.recipe import LoraRecipe


def blip(folder, load=load_float):
    return learner_of_blip(load(folder))


@pytest.mark.parametrize("load", [load_float, load_nf4])
def test_ten_pairs_are_learned_by_heart_and_the_base_stays_as_it_was(tiny_model, pictures, load):
    model = load(tiny_model)
    before = base_weights(model)
    everywhere = LoraRecipe(rank=16, alpha=32, dropout=0, targets=TEXT_TARGETS)
    run = Setup(learner_of_blip(model), pictures, lora=everywhere, steps=60, rate=1e-2, batch=10)
    reports = list(run.steps())
    assert reports[-1].loss < 0.1 < reports[0].loss
    answerer = run.learner.answerer
    assert held_out_exact_match(answerer, seen_anew(answerer, pictures[0]), run.pairs, 16) == 1.0
    after = base_weights(model)
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert weight.equal(after[name]), name


def test_a_run_resumed_from_a_checkpoint_equals_one_that_never_stopped(
    tiny_model, pictures, tmp_path
):
    whole = Setup(blip(tiny_model), pictures, steps=8)
    losses = [report.loss for report in whole.steps()]

    first = Setup(blip(tiny_model), pictures, steps=8)
    steps = first.steps()
    for _ in range(5):
        report = next(steps)
    first.save(tmp_path / "checkpoint", report.step)

    second = Setup(blip(tiny_model), pictures, steps=8)
    assert second.restore(tmp_path / "checkpoint") == 5
    assert [report.loss for report in second.steps(5)] == losses[5:]
    for name, weight in whole.weights().items():
        assert weight.equal(second.weights()[name]), name


def test_dropout_makes_steps_differ_from_those_without(tiny_model, pictures):
    """Without this, the test above would not see random numbers that are not restored."""
    still = LoraRecipe(rank=4, alpha=8, dropout=0, targets=TEXT_TARGETS)
    losses = [
        [report.loss for report in Setup(blip(tiny_model), pictures, lora=lora, steps=8).steps()]
        for lora in (DROPOUT, still)
    ]
    assert losses[0][5:] != losses[1][5:]


def test_micro_batches_change_nothing_but_rounding(tiny_model, pictures):
    still = LoraRecipe(rank=4, alpha=8, dropout=0, targets=TEXT_TARGETS)
    cuts = [
        Setup(
            blip(tiny_model),
            pictures,
            lora=still,
            batch=batch,
            cut=cut,
            steps=4,
        )
        for batch, cut in ((8, 1), (2, 4))
    ]
    losses = [[report.loss for report in run.steps()] for run in cuts]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_fresh_features_train_like_stored_ones(tiny_model, pictures):
    stored, fresh = (Setup(blip(tiny_model), pictures, steps=4) for _ in range(2))
    fresh.features = FreshFeatures(fresh.learner, pictures[0])
    losses = [[report.loss for report in run.steps()] for run in (stored, fresh)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


@pytest.mark.parametrize("load", [load_float, load_nf4])
def test_questions_that_share_an_image_train_like_questions_with_an_image_each(
    tiny_model, pictures, load
):
    still = LoraRecipe(rank=4, alpha=8, dropout=0, targets=TEXT_TARGETS)
    shared, apart = (Setup(blip(tiny_model, load), pictures, lora=still, steps=4) for _ in range(2))
    # Activations that are computed twice leave no cache to share.
    apart.learner.checkpoint_activations()
    losses = [[report.loss for report in run.steps()] for run in (shared, apart)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for name, weight in shared.weights().items():
        assert torch.allclose(weight, apart.weights()[name], atol=2e-4), name


def test_the_reports_targets_reach_the_text_towers_alone(tiny_model):
    adapter = add_adapter(blip(tiny_model), LoraRecipe(targets=REPORT_TARGETS))
    # Two layers, self- and cross-attention, three projections each.
    assert matched_layers(adapter) == {"vision_model": 0, "text_encoder": 12, "text_decoder": 12}
    assert trainable_parameters(adapter.peft) == 24 * 2 * 16 * 64


def test_targets_that_match_nothing_are_named(tiny_model):
    with pytest.raises(InputError, match=r"\['q_proj'\] match no layer"):
        add_adapter(blip(tiny_model), LoraRecipe(targets=("q_proj",)))
