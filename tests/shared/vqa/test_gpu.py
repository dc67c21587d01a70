"""What only a CUDA device can show: bfloat16, pinned memory, answers on the card."""

import pytest
import torch

from shared.vqa.families import load_answerer
from shared.vqa.quantization import TRAINED_ON
from tests.models import QUESTIONS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture(params=sorted(TRAINED_ON))
def answerer(request, tiny_model):
    return load_answerer(str(tiny_model), quantization=request.param, device=torch.device("cuda"))


def test_a_model_computes_in_half_precision_on_the_card(answerer):
    assert answerer.model.device.type == "cuda"
    assert answerer.model.network.dtype in {torch.bfloat16, torch.float16}


def test_it_answers_there_with_what_was_decoded_here(answerer, images):
    memory = answerer.remember([answerer.prepare(image) for image in images])
    assert memory.features_NLD.is_cuda
    answers = answerer.answer(memory, [0] * len(QUESTIONS), QUESTIONS)
    assert len({answer.text for answer in answers}) > 1
    assert all(0 <= answer.confidence <= 1 for answer in answers)


def test_most_answers_are_those_of_questions_asked_alone(answerer, images):
    """In half precision a near tie may turn; in float32 on a CPU none does."""
    memory = answerer.remember([answerer.prepare(image) for image in images])
    image_of = [index for index in range(len(images)) for _ in QUESTIONS]
    texts = QUESTIONS * len(images)
    together = answerer.answer(memory, image_of, texts)
    alone = [
        answerer.answer(memory, [index], [text])[0]
        for index, text in zip(image_of, texts, strict=True)
    ]
    same = sum(in_batch.text == other.text for in_batch, other in zip(together, alone, strict=True))
    assert same >= 0.8 * len(texts)
