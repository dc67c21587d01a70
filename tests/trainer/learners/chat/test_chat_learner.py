"""A chat model's loss is that of its own code for each question alone; what it learns, it says."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from shared.images.decoding import open_image
from shared.vqa.chat.proof import allowed_rounding, short_prompts
from shared.vqa.families import load_answerer
from shared.vqa.quantization import Quantization
from tests.trainer.learners.chat.models import TRAINED, own_loss, trainable
from tests.trainer.learners.families import draw_noise, load_learner
from tests.trainer.runs import Setup, base_weights
from trainer.data.features import AugmentedFeatures, FreshFeatures, StoredFeatures
from trainer.data.heldout import held_out_exact_match, seen_anew
from trainer.fitting.adapter import add_adapter, matched_layers
from trainer.learners.chat.proof import sharing_differs_by
from trainer.recipe.recipe import LoraRecipe

pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
pytest.importorskip("num2words", reason="the extra `model` brings num2words")

# PaliGemma's processor itself does what numpy will not allow.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FAST = ("gemma3", "paligemma2", "qwen2_5_vl", "smolvlm")
"""One of each way to read a picture."""
NAMES = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in TRAINED]
APART = {"paligemma2", "qwen3_5"}
LANGUAGE = r"model\.(language|text)_model\..*\.(q|k|v|o|gate|up|down)_proj|lm_head"
BY_HEART = LoraRecipe(rank=32, alpha=64, dropout=0, targets=LANGUAGE)


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Ten questions about five pictures."""
    folder = tmp_path_factory.mktemp("noise") / "images"
    pairs = draw_noise(folder)
    return folder, [replace(pair, filename=f"{at // 2}.png") for at, pair in enumerate(pairs)]


def loss_of(learner, features, pairs) -> float:
    names = list(dict.fromkeys(pair.filename for pair in pairs))
    image_of = [names.index(pair.filename) for pair in pairs]
    with torch.no_grad():
        return float(learner.loss_sum(features.of(names), image_of, learner.tokenise(pairs)))


@pytest.mark.parametrize("name", NAMES)
def test_questions_of_an_image_cost_in_one_row_what_they_cost_alone(noise, name):
    learner = load_learner(trainable(name))
    features, pairs = FreshFeatures(learner, noise[0]), noise[1]
    theirs = [own_loss(learner, noise[0], pair) for pair in pairs]
    alone = [loss_of(learner, features, [pair]) for pair in pairs]
    terms = learner.tokenise(pairs).loss_terms
    assert alone == pytest.approx(theirs, abs=1e-5 * terms)
    assert loss_of(learner, features, pairs) / terms == pytest.approx(sum(theirs) / terms, abs=1e-5)
    assert learner.shares_rows == (name not in APART)
    seen, turns = features.of([pairs[0].filename]), learner.tokenise(pairs[:1])
    with torch.no_grad():
        said_AV = learner.log_probabilities(seen, [0], turns)
    [right] = (turn.answer for turn in turns.turns)
    assert -float(said_AV[range(len(right)), right].sum()) == pytest.approx(alone[0], abs=1e-4)


@pytest.mark.parametrize("name", ["gemma3", pytest.param("qwen2_vl", marks=pytest.mark.slow)])
def test_rows_longer_than_a_sliding_window_are_cut(noise, name, tmp_path):
    learner = load_learner(trainable(name))
    features, pairs = FreshFeatures(learner, noise[0]), noise[1]
    whole = loss_of(learner, features, pairs)
    longest = max(len(turn.read) for turn in learner.tokenise(pairs).turns)
    before = len(features.of(["0.png"])[0].ids_P)
    for window in (before + longest + 1, before + longest - 1):
        learner.window = window
        assert loss_of(learner, features, pairs) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "quantization"),
    [
        ("smolvlm", Quantization.NONE),
        *(pytest.param(name, Quantization.NF4, marks=pytest.mark.slow) for name in TRAINED),
    ],
)
def test_ten_pairs_are_learned_by_heart_and_the_base_stays_as_it_was(noise, name, quantization):
    learner = load_learner(trainable(name), quantization)
    before = base_weights(learner.model)
    steps = 24 if quantization is Quantization.NONE else 80
    run = Setup(learner, noise, lora=BY_HEART, batch=10, steps=steps, rate=1e-2)
    reports = list(run.steps())
    assert reports[-1].loss < reports[0].loss / 10
    answerer = learner.answerer
    assert held_out_exact_match(answerer, seen_anew(answerer, noise[0]), run.pairs, 16) == 1.0
    remember = lambda names: learner.remember(run.features.of(names))  # noqa: E731
    assert held_out_exact_match(answerer, remember, run.pairs, 16) == 1.0
    after = base_weights(learner.model)
    assert before.keys() == after.keys()
    for part, weight in before.items():
        assert weight.equal(after[part]), part


@pytest.mark.parametrize("name", ["qwen2_5_vl", pytest.param("qwen3_5", marks=pytest.mark.slow)])
def test_a_run_resumed_from_a_checkpoint_equals_one_that_never_stopped(noise, name, tmp_path):
    dropping = LoraRecipe(rank=4, alpha=8, dropout=0.2)
    whole, first, second = (
        Setup(load_learner(trainable(name)), noise, lora=dropping, steps=4) for _ in range(3)
    )
    losses = [report.loss for report in whole.steps()]
    steps = first.steps()
    for _ in range(2):
        report = next(steps)
    first.save(tmp_path / "checkpoint", report.step)
    assert second.restore(tmp_path / "checkpoint") == 2
    assert [report.loss for report in second.steps(2)] == losses[2:]
    for part, weight in whole.weights().items():
        assert weight.equal(second.weights()[part]), part


@pytest.mark.parametrize("name", ["smolvlm", pytest.param("gemma3", marks=pytest.mark.slow)])
def test_the_loss_does_not_depend_on_how_a_step_is_cut_or_computed(noise, name):
    still = LoraRecipe(rank=4, alpha=8, dropout=0)
    cuts = ((10, 1), (5, 2), (3, 4))
    runs = [
        Setup(load_learner(trainable(name)), noise, lora=still, steps=2, batch=size, cut=cut)
        for size, cut in (*cuts, cuts[0])
    ]
    runs[-1].learner.checkpoint_activations()
    losses = [[report.loss for report in run.steps()] for run in runs]
    for other in losses[1:]:
        assert other == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_stored_pictures_cost_what_fresh_ones_cost(noise, name, tmp_path):
    learner = load_learner(trainable(name))
    names = [pair.filename for pair in noise[1]]
    stored = StoredFeatures(learner, noise[0], names, tmp_path)
    fresh = FreshFeatures(learner, noise[0])
    losses = [loss_of(learner, features, noise[1]) for features in (stored, fresh)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    files = list(tmp_path.rglob("*.safetensors"))
    pictures = [noise[0] / f"{number}.png" for number in range(5)]
    assert max(file.stat().st_size for file in files) <= learner.stored_bytes(pictures)


def test_augmented_pictures_go_through_the_processor(noise):
    learner = load_learner(trainable("qwen2_5_vl"))
    names = [pair.filename for pair in noise[1][:6]]
    fresh = FreshFeatures(learner, noise[0]).of(names)
    changed = AugmentedFeatures(learner, noise[0]).of(names)
    for one, other in zip(fresh, changed, strict=True):
        assert one.image.shape == other.image.shape
        assert not torch.equal(one.image, other.image)


@pytest.mark.parametrize("name", NAMES)
def test_the_default_targets_are_the_language_models_attention_alone(name):
    learner = load_learner(trainable(name))
    added = add_adapter(learner, LoraRecipe())
    matched = matched_layers(added)
    language = "model.text_model" if name in {"smolvlm", "idefics3"} else "model.language_model"
    assert [part for part, layers in matched.items() if layers] == [language]
    assert matched[language] == (4 if name == "qwen3_5" else 6)
    assert tuple(matched) == learner.towers
    assert not learner.trains_image_encoder


@pytest.mark.parametrize(("name", "layer"), [("qwen2_5_vl", "qkv"), ("llava", "linear_1")])
def test_an_adapter_in_tower_or_projector_is_noticed_and_trained(noise, name, layer):
    learner = load_learner(trainable(name))
    add_adapter(learner, LoraRecipe(dropout=0, targets=(layer,)))
    assert learner.trains_image_encoder
    seen = FreshFeatures(learner, noise[0]).of(["0.png"])
    learner.loss_sum(seen, [0], learner.tokenise(noise[1][:1])).backward()
    gradients = [
        weight.grad for weight in learner.model.network.parameters() if weight.requires_grad
    ]
    assert any(gradient is not None and gradient.any() for gradient in gradients)


def test_a_picture_of_a_store_is_answered_like_one_that_was_opened(noise, tmp_path):
    learner = load_learner(trainable("qwen3_vl"))
    names = [pair.filename for pair in noise[1]]
    stored = StoredFeatures(learner, noise[0], names, tmp_path)
    answerer = load_answerer(str(trainable("qwen3_vl")), quantization=Quantization.NONE)
    opened = [answerer.prepare(open_image(noise[0] / name)) for name in names]
    questions = [pair.question for pair in noise[1]]
    image_of = list(range(len(names)))
    said = [
        [answer.text for answer in answerer.answer(memory, image_of, questions)]
        for memory in (learner.remember(stored.of(names)), answerer.remember(opened))
    ]
    assert said[0] == said[1]


def test_a_rule_for_who_sees_whom_that_is_not_known_is_noticed():
    learner = load_learner(trainable("gemma3"))
    network, answerer = learner.model.network, learner.answerer
    picture = answerer.prepare(Image.new("RGB", (64, 64)))
    prompts = short_prompts(network, picture, answerer.split, learner.model.device)
    assert sharing_differs_by(network, prompts) < allowed_rounding(network)
    # As if it were not known that image tokens see each other.
    unknown = sharing_differs_by(network, prompts, lambda _, ids: torch.full_like(ids, -1))
    assert unknown > allowed_rounding(network)
