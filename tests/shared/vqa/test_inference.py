"""Encode once, answer many: the same answers as one call of ``generate`` for each question."""

import random

import pytest

from shared.vqa.blip.inference import answer_questions, memory_of, remember_images
from tests.models import QUESTIONS, load_float, load_nf4
from tests.shared.vqa.asking import every_question, plain_answer, slow_confidence


def answers(model, memory, image_of, questions, batch_size):
    all_answers = []
    for first in range(0, len(questions), batch_size):
        part = slice(first, first + batch_size)
        all_answers.extend(answer_questions(model, memory, image_of[part], questions[part]))
    return all_answers


@pytest.fixture(scope="module", params=["base", "adapter"])
def model(request, tiny_model, tiny_adapter):
    return load_float(tiny_model, tiny_adapter if request.param == "adapter" else None)


@pytest.fixture(scope="module")
def alone(model, images):
    image_of, questions = every_question(images)
    return [
        plain_answer(model, images[index], text)
        for index, text in zip(image_of, questions, strict=True)
    ]


def test_the_reference_tells_images_questions_and_lengths_apart(alone):
    assert len(set(alone)) > len(alone) // 2
    assert len({len(answer.split()) for answer in alone}) > 3


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_answers_equal_those_of_generate_on_each_question_alone(model, images, alone, batch_size):
    image_of, questions = every_question(images)
    memory = remember_images(model, images)
    answered = answers(model, memory, image_of, questions, batch_size)
    assert [answer.text for answer in answered] == alone


def test_no_answer_depends_on_the_order_of_questions_or_images(model, images, alone):
    image_of, questions = every_question(images)
    shuffled = list(range(len(questions)))
    random.Random(4).shuffle(shuffled)
    memory = remember_images(model, images[::-1])
    answered = answers(
        model,
        memory,
        [len(images) - 1 - image_of[at] for at in shuffled],
        [questions[at] for at in shuffled],
        7,
    )
    assert [answer.text for answer in answered] == [alone[at] for at in shuffled]


def test_confidence_is_the_probability_of_the_answer(model, images):
    memory = remember_images(model, images[:1])
    answered = answer_questions(model, memory, [0] * len(QUESTIONS), QUESTIONS)
    for answer, question in zip(answered, QUESTIONS, strict=True):
        assert 0 <= answer.confidence <= 1
        slow = slow_confidence(model, images[0], question)
        assert answer.confidence == pytest.approx(slow, rel=1e-4)


def test_an_adapter_changes_answers(images, blip, tiny_model, tiny_adapter):
    image_of, questions = every_question(images)
    texts = [
        [answer.text for answer in answers(model, memory, image_of, questions, 64)]
        for model in (blip, load_float(tiny_model, tiny_adapter))
        for memory in [remember_images(model, images)]
    ]
    assert texts[0] != texts[1]


def test_in_4_bit_an_answer_depends_on_its_batch_as_little(images, tiny_model, tiny_adapter):
    model = load_nf4(tiny_model, tiny_adapter)
    image_of, questions = every_question(images)
    memory = remember_images(model, images)
    one_by_one = answers(model, memory, image_of, questions, 1)
    together = answers(model, memory, image_of, questions, 64)
    assert [answer.text for answer in one_by_one] == [answer.text for answer in together]


def test_memory_of_stored_features_is_the_same_memory(blip, images):
    memory = remember_images(blip, images)
    again = memory_of(blip, memory.features_NLD)
    for old, new in zip(memory.layers, again.layers, strict=True):
        assert old.keys.equal(new.keys)
        assert old.values.equal(new.values)


def test_as_many_tokens_as_asked_for_and_no_more(blip, images):
    memory = remember_images(blip, images)
    image_of, questions = every_question(images)
    short = answer_questions(blip, memory, image_of, questions, max_new_tokens=2)
    full = answer_questions(blip, memory, image_of, questions)
    for cut, whole in zip(short, full, strict=True):
        assert whole.text.startswith(cut.text)
        assert len(cut.text.split()) <= 2
        assert cut.confidence >= whole.confidence
    assert any(cut.text != whole.text for cut, whole in zip(short, full, strict=True))


def test_no_question_has_no_answer(blip, images):
    assert answer_questions(blip, remember_images(blip, images), [], []) == []


def test_each_question_needs_an_image(blip, images):
    with pytest.raises(ValueError, match="2 questions, but images for 1"):
        answer_questions(blip, remember_images(blip, images), [0], ["what", "what"])
