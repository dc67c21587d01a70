"""The loss that training sees: the true masks, no padding, however a step is cut."""

import math

import pytest
import torch

from shared.vqa.blip.config import token_ids
from shared.vqa.blip.forward import answer_loss_sum, answer_token_count, encode_images
from shared.vqa.blip.text import IGNORED_LABEL, answer_batch, question_batch
from shared.vqa.inputs.preprocessing import pixel_values
from tests.models import QUESTIONS

ANSWERS = ("red", "square triangle", "four", "yes no yes no", "blue", "circle")


@pytest.fixture(scope="module")
def features(blip, images):
    with torch.no_grad():
        encoded = encode_images(blip.blip, pixel_values(blip.image_processor, images))
    return encoded[torch.tensor([0, 1, 2, 3, 0, 1])]


def batches(model, rows=slice(None)):
    ids = token_ids(model.blip.config)
    return (
        question_batch(model.tokenizer, QUESTIONS[rows], ids, 64),
        answer_batch(model.tokenizer, ANSWERS[rows], ids, 64),
    )


@torch.no_grad()
def loss_of(model, features, rows=slice(None)) -> float:
    return float(answer_loss_sum(model.blip, features[rows], *batches(model, rows)))


@torch.no_grad()
def loss_by_hand(model, features_LD, question: str, answer: str) -> float:
    """Feed one unpadded question, and the answer a token at a time from the start token on."""
    blip, ids = model.blip, token_ids(model.blip.config)
    states = blip.text_encoder(
        input_ids=torch.tensor([model.tokenizer(question)["input_ids"]]),
        encoder_hidden_states=features_LD[None],
    ).last_hidden_state
    pieces = model.tokenizer(answer, add_special_tokens=False)["input_ids"]
    heard, total = [ids.start], 0.0
    for wanted in [*pieces, ids.end]:
        logits = blip.text_decoder(
            input_ids=torch.tensor([heard]), encoder_hidden_states=states, use_cache=False
        ).logits
        total -= math.log(float(logits[0, -1].softmax(-1)[wanted]))
        heard.append(wanted)
    return total


def test_the_loss_is_that_of_every_answer_on_its_own(blip, features):
    by_hand = sum(
        loss_by_hand(blip, row, question, answer)
        for row, question, answer in zip(features, QUESTIONS, ANSWERS, strict=True)
    )
    assert loss_of(blip, features) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_micro_batches_add_up_to_the_same_loss(blip, features, size):
    parts = [slice(first, first + size) for first in range(0, len(ANSWERS), size)]
    assert sum(loss_of(blip, features, part) for part in parts) == pytest.approx(
        loss_of(blip, features), rel=1e-5
    )


def test_answers_begin_where_generation_begins_and_end_with_the_end(blip):
    ids = token_ids(blip.blip.config)
    _, answers = batches(blip)
    assert (answers.inputs.ids_BT[:, 0] == ids.start).all()
    for labels, pieces in zip(answers.labels_BT, ANSWERS, strict=True):
        real = labels[labels != IGNORED_LABEL].tolist()
        assert real == blip.tokenizer(pieces, add_special_tokens=False)["input_ids"] + [ids.end]


def test_tokens_of_the_loss_are_those_of_the_answers_and_their_ends(blip):
    _, answers = batches(blip)
    words = sum(len(answer.split()) for answer in ANSWERS)  # each is one piece
    assert answer_token_count(answers) == words + len(ANSWERS)


def test_padding_gets_no_gradient(blip, features):
    """What stands in the padding of a question or an answer changes no loss."""
    questions, answers = batches(blip)
    noise = torch.randint(6, 50, questions.ids_BT.shape)
    said_noise = torch.randint(6, 50, answers.inputs.ids_BT.shape)
    with torch.no_grad():
        before = float(answer_loss_sum(blip.blip, features, questions, answers))
        questions.ids_BT.copy_(torch.where(questions.mask_BT == 1, questions.ids_BT, noise))
        ids = answers.inputs.ids_BT
        ids.copy_(torch.where(answers.inputs.mask_BT == 1, ids, said_noise))
        after = float(answer_loss_sum(blip.blip, features, questions, answers))
    assert after == pytest.approx(before, rel=1e-5)


def test_long_texts_are_cut_but_keep_their_end(blip):
    ids = token_ids(blip.blip.config)
    questions = question_batch(blip.tokenizer, ["red " * 90], ids, 16)
    answers = answer_batch(blip.tokenizer, ["red " * 90], ids, 16)
    assert questions.ids_BT.shape == (1, 16)
    assert int(questions.ids_BT[0, -1]) == ids.end
    assert answers.inputs.ids_BT.shape == (1, 16)
    assert int(answers.labels_BT[0, -1]) == ids.end
