"""Where memory runs out, a replica halves what it holds at once, remembers it and loses nothing."""

import threading

import pytest
import torch
from structlog.testing import capture_logs

from evaluator.answering.batches import QUESTIONS_PER_IMAGE
from evaluator.answering.replica import Replica
from shared.errors import AboVqaError
from shared.records import Question
from shared.vqa.blip.answerer import BlipAnswerer
from tests.evaluator.replicas import settings_for
from tests.models import QUESTIONS, load_float

MORE_THAN_ANY_MACHINE_HAS = 2**57


class SmallMachine(BlipAnswerer):
    """Asks the allocator for what nobody has when more than so many are held at once."""

    def __init__(self, model, *, images=1000, questions=1000, takes=torch.empty):
        super().__init__(model)
        self.images, self.questions, self.takes = images, questions, takes
        self.sizes = []

    def remember(self, images):
        if len(images) > self.images:
            self.takes(MORE_THAN_ANY_MACHINE_HAS)
        return super().remember(images)

    def answer(self, memory, image_of, questions):
        self.sizes.append(len(questions))
        if len(questions) > self.questions:
            self.takes(MORE_THAN_ANY_MACHINE_HAS)
        return super().answer(memory, image_of, questions)


@pytest.fixture(scope="module")
def model(tiny_model):
    return load_float(tiny_model)


@pytest.fixture(scope="module")
def asked(pictures):
    names = sorted({pair.filename for pair in pictures[1]})[:6]
    return [Question(f"{name}/{text}", text, name) for name in names for text in QUESTIONS]


def answers(replica, asked):
    return {reply.question_id: reply.answer for reply in replica.answer(asked)}


@pytest.mark.parametrize("takes", [torch.empty, bytearray], ids=["torch", "python"])
def test_a_batch_that_does_not_fit_is_halved_for_good(tiny_model, pictures, model, asked, takes):
    settings = settings_for(tiny_model, pictures[0], batch_size=24)
    machine = SmallMachine(model, questions=5, takes=takes)
    replica = Replica(settings, answerer=machine)
    with capture_logs() as events:
        said = answers(replica, asked)
    assert said == answers(Replica(settings, answerer=BlipAnswerer(model)), asked)
    assert [(e["batch"], e["goes_on_with"]) for e in events] == [(24, 12), (12, 6), (6, 3)]
    assert max(machine.sizes[3:]) == 3
    machine.sizes.clear()
    answers(replica, asked)
    assert max(machine.sizes) == 3


def test_images_that_do_not_fit_together_are_encoded_in_smaller_parts(
    tiny_model, pictures, model, asked
):
    settings = settings_for(tiny_model, pictures[0], batch_size=64)
    replica = Replica(settings, answerer=SmallMachine(model, images=2))
    with capture_logs() as events:
        said = answers(replica, asked)
    assert said == answers(Replica(settings, answerer=BlipAnswerer(model)), asked)
    assert [(e["what"], e["batch"]) for e in events] == [
        ("images", 16),
        ("images", 8),
        ("images", 4),
    ]


def test_what_does_not_fit_one_by_one_is_an_error(tiny_model, pictures, model, asked):
    replica = Replica(
        settings_for(tiny_model, pictures[0]), answerer=SmallMachine(model, questions=0)
    )
    with pytest.raises(AboVqaError, match="out of memory with questions one by one"):
        replica.answer(asked)


def test_another_error_is_not_taken_for_a_lack_of_memory(tiny_model, pictures, model, asked):
    class Broken(BlipAnswerer):
        def answer(self, memory, image_of, questions):
            return torch.ones(2) @ torch.ones(3)

    with pytest.raises(RuntimeError, match="size"):
        Replica(settings_for(tiny_model, pictures[0]), answerer=Broken(model)).answer(asked)


def test_no_more_images_are_held_than_the_batch_pays_for(tiny_model, pictures, model):
    names = sorted({pair.filename for pair in pictures[1]})
    held = []

    class Counting(BlipAnswerer):
        def remember(self, images):
            held.append(len(images))
            return super().remember(images)

    settings = settings_for(tiny_model, pictures[0], batch_size=16)
    Replica(settings, answerer=Counting(model)).answer([Question(n, "what", n) for n in names])
    assert sum(held) == len(names)
    assert max(held) == 4


def test_each_image_is_read_and_encoded_once(tiny_model, pictures, model, asked):
    read, encoded = [], []

    class Counting(BlipAnswerer):
        def prepare(self, image):
            read.append(image.size)
            return super().prepare(image)

        def remember(self, images):
            encoded.extend(images)
            return super().remember(images)

    settings = settings_for(tiny_model, pictures[0], batch_size=4)
    Replica(settings, answerer=Counting(model)).answer(asked)
    images = len({question.filename for question in asked})
    assert len(read) == len(encoded) == images


def test_the_next_batch_is_decoded_while_the_model_works(tiny_model, pictures, model):
    names = sorted({pair.filename for pair in pictures[1]})[:12]
    decoded, size = threading.Semaphore(0), 4

    class Working(BlipAnswerer):
        left = len(names)

        def prepare(self, image):
            prepared = super().prepare(image)
            decoded.release()
            return prepared

        def remember(self, images):
            # The model does not end before what comes next lies ready; without decoding ahead
            # nothing ever would.
            self.left -= len(images)
            for _ in range(len(images) + min(size, self.left)):
                assert decoded.acquire(timeout=60), "the model waits for images"
            for _ in range(min(size, self.left)):
                decoded.release()
            return super().remember(images)

    settings = settings_for(tiny_model, pictures[0], batch_size=size * QUESTIONS_PER_IMAGE)
    replies = Replica(settings, answerer=Working(model)).answer(
        [Question(name, "what", name) for name in names]
    )
    assert {reply.question_id for reply in replies} == set(names)
