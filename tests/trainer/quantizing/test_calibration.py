"""What is lost is how far the choices move from the exact model's, however little that is."""

from dataclasses import replace

import pytest
import torch

from shared.vqa.blip.text import IGNORED_LABEL
from shared.vqa.quantization import Quantization
from tests.models import SHAPE, save_tiny_model
from trainer.learners.families import load_learner
from trainer.quantizing.allocation import Choice
from trainer.quantizing.measuring.calibration import ALL, Calibration, Exact
from trainer.quantizing.measuring.measured import Measured
from trainer.quantizing.parts import BITS, WHOLE
from trainer.quantizing.planning import Planner
from trainer.quantizing.rounding import Method
from trainer.quantizing.sensitivity import Rounder, measured_choices


@pytest.fixture(scope="module")
def calibration(tmp_path_factory, pictures):
    shape = SHAPE.model_copy(update={"vision_layers": 1, "question_layers": 1})
    folder = save_tiny_model(tmp_path_factory.mktemp("tiny") / "model", shape=shape)
    learner = load_learner(str(folder), quantization=Quantization.NONE)
    images, pairs = pictures
    return Calibration(learner, pairs[:24], images)


@pytest.fixture
def rounder(calibration):
    return Rounder(calibration.learner)


def test_the_exact_model_loses_nothing(calibration):
    exact = Exact(calibration)
    assert exact.lost(sees_otherwise=False) == 0
    assert exact.lost(sees_otherwise=True) == pytest.approx(0, abs=1e-7)


def test_choices_are_those_that_the_loss_is_made_of(calibration):
    learner, pairs = calibration.learner, calibration.pairs[:3]
    features = calibration.features()[:3]
    examples = learner.tokenise(pairs)
    labels_A = examples.answers.labels_BT[examples.answers.labels_BT != IGNORED_LABEL]
    with torch.no_grad():
        said_AV = learner.log_probabilities(features, range(3), examples)
        loss = float(learner.loss_sum(features, range(3), examples))
    assert -float(said_AV[range(len(labels_A)), labels_A].sum()) == pytest.approx(loss, rel=1e-5)


def test_every_bit_less_moves_the_choices_further(calibration, rounder):
    exact = Exact(calibration)
    lost = []
    for bits in sorted(BITS, reverse=True):
        with rounder.in_bits(rounder.all_in(bits), Method.NEAREST):
            lost.append(exact.lost(sees_otherwise=True))
    assert lost == sorted(lost)
    assert 0 < lost[0] < lost[-1] / 100


def test_it_is_the_divergence_of_each_choice_from_the_exact_one(calibration, rounder):
    exact = Exact(calibration)
    features = calibration.features()
    answers = calibration.answers(features)
    plan = rounder.all_in(2)
    wanted_AC = torch.cat(list(calibration.log_probabilities(features, answers)))
    with rounder.in_bits(plan, Method.NEAREST):
        lost = exact.lost(sees_otherwise=True)
        said_AC = torch.cat(list(calibration.log_probabilities(calibration.features(), answers)))
    apart = float((wanted_AC.exp() * (wanted_AC - said_AC)).sum()) / len(answers)
    assert lost == pytest.approx(apart, rel=1e-4)


def test_each_question_is_asked_about_its_own_picture(calibration):
    features, answers = calibration.features(), ["red"] * len(calibration.pairs)
    mixed = Calibration(calibration.learner, calibration.pairs[::-1], calibration.images)
    together = list(mixed.log_probabilities(mixed.features(), answers))
    alone = []
    for pair in mixed.pairs:
        one = Calibration(calibration.learner, [pair], calibration.images)
        alone += one.log_probabilities(one.features(), ["red"])
    assert torch.allclose(torch.cat(together), torch.cat(alone), atol=1e-5)
    assert not torch.allclose(torch.cat(alone)[:2], torch.cat(alone)[-2:], atol=1e-5)
    assert len(together) < len(alone) == len(features) * 2


def test_a_model_that_says_nothing_is_measured_by_that(calibration, rounder):
    decoder = calibration.learner.model.network.text_decoder
    bias, end = decoder.cls.predictions.decoder.bias, calibration.learner.model.tokenizer
    before = bias.detach().clone()
    try:
        with torch.no_grad():
            bias[end.sep_token_id] += 50
        exact = Exact(calibration)
        assert set(calibration.answers(calibration.features())) == {""}
        with rounder.in_bits(rounder.all_in(2), Method.NEAREST):
            assert 0 <= exact.lost(sees_otherwise=True) < 1
    finally:
        with torch.no_grad():
            bias.copy_(before)


def test_what_is_no_number_any_more_lost_all(calibration):
    exact = Exact(calibration)
    scale = calibration.learner.model.network.text_encoder.embeddings.LayerNorm.weight
    before = scale.detach().clone()
    try:
        with torch.no_grad():
            scale.fill_(float("nan"))
        assert exact.lost(sees_otherwise=False) == ALL
    finally:
        with torch.no_grad():
            scale.copy_(before)


def test_parts_that_see_lose_something_too(calibration, rounder, tmp_path):
    choices = measured_choices(
        rounder, Method.NEAREST, Exact(calibration), Measured(tmp_path / "measured", "these")
    )
    seeing = [choices[name] for name in choices if name.startswith("vision_model.")]
    assert seeing
    assert all(choice.loss > 0 for of_part in seeing for choice in of_part if choice.bits == 2)


@pytest.mark.parametrize(
    "bits",
    [3, pytest.param(3.6, marks=pytest.mark.slow), pytest.param(4.5, marks=pytest.mark.slow)],
)
def test_a_plan_is_no_further_off_than_one_width_for_all(calibration, rounder, tmp_path, bits):
    exact, measured = Exact(calibration), Measured(tmp_path / "measured", "these")
    choices = measured_choices(rounder, Method.NEAREST, exact, measured)
    planner = Planner(rounder, Method.NEAREST, choices, exact, measured)
    alike = rounder.all_in(int(bits))
    budget = int(rounder.bytes_of(alike) * bits / int(bits))
    plan = planner.within(budget)
    assert rounder.bytes_of(plan) <= budget
    lost = []
    for each in (plan, alike):
        with rounder.in_bits(each, Method.NEAREST):
            lost.append(exact.lost(sees_otherwise=True))
    assert 0 < lost[0] <= lost[1] + 1e-6
    before = (tmp_path / "measured").read_bytes()
    again = replace(planner, measured=Measured(tmp_path / "measured", "these"))
    assert again.within(budget) == plan
    assert (tmp_path / "measured").read_bytes() == before


def test_where_losses_do_not_add_up_one_width_for_all_is_taken(calibration, rounder, tmp_path):
    exact, measured = Exact(calibration), Measured(tmp_path / "measured", "these")
    # As if 2 bits lost nothing anywhere, and 3 all.
    choices = {
        part.name: [
            Choice(bits, part.bytes_at(bits), 0.0 if bits == 2 else 1.0) for bits in (*BITS, WHOLE)
        ]
        for part in rounder.parts
    }
    planner = Planner(rounder, Method.NEAREST, choices, exact, measured)
    alike = rounder.all_in(3)
    assert planner.within(rounder.bytes_of(alike)) == alike
    assert planner.within(rounder.bytes_of(rounder.all_in(2))) == rounder.all_in(2)
