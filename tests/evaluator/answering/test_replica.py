"""A replica answers as the model does, and loses no row."""

import random
import shutil

import pytest

from evaluator.answering.messages import BROKEN_IMAGE_ANSWER
from evaluator.answering.replica import Replica
from shared.errors import InputError, StoreUnreachable
from shared.images.decoding import open_image
from shared.records import Question
from shared.vqa.blip.inference import answer_questions, remember_images
from tests.evaluator.replicas import settings_for
from tests.fakes.file_server import serve_folder
from tests.models import QUESTIONS, load_float


@pytest.fixture(scope="module")
def questions(pictures):
    names = sorted({pair.filename for pair in pictures[1]})[:8]
    return [
        Question(f"{name}/{number}", text, name)
        for name in names
        for number, text in enumerate(QUESTIONS[: 2 + len(name) % 3])
    ]


@pytest.fixture(scope="module")
def direct(tiny_model, pictures, questions):
    """What the model itself answers, one question at a time, by the question's id."""
    model = load_float(tiny_model)
    answers = {}
    for question in questions:
        memory = remember_images(model, [open_image(pictures[0] / question.filename)])
        [answers[question.id]] = answer_questions(model, memory, [0], [question.text])
    return answers


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_answers_are_the_models_own(tiny_model, pictures, questions, direct, batch_size):
    replica = Replica(settings_for(tiny_model, pictures[0], batch_size=batch_size))
    replies = {reply.question_id: reply for reply in replica.answer(questions)}
    assert {key: reply.answer for key, reply in replies.items()} == {
        key: answer.text for key, answer in direct.items()
    }
    for key, answer in direct.items():
        assert replies[key].confidence == pytest.approx(answer.confidence, rel=1e-4)
        assert replies[key].grounding is None
        assert not replies[key].broken_image


def test_the_order_of_questions_changes_no_answer(tiny_model, pictures, questions, direct):
    shuffled = list(questions)
    random.Random(2).shuffle(shuffled)
    replies = Replica(settings_for(tiny_model, pictures[0])).answer(shuffled)
    assert {r.question_id: r.answer for r in replies} == {k: a.text for k, a in direct.items()}


def test_a_broken_image_is_marked_and_shifts_no_row(
    tiny_model, pictures, questions, direct, tmp_path
):
    images = shutil.copytree(pictures[0], tmp_path / "images")
    (images / "001.png").write_bytes((images / "001.png").read_bytes()[:60])
    (images / "003.png").unlink()
    replies = Replica(settings_for(tiny_model, images, batch_size=4)).answer(questions)
    assert sorted(r.question_id for r in replies) == sorted(q.id for q in questions)
    for reply in replies:
        if reply.question_id.startswith(("001", "003")):
            assert reply.broken_image
            assert reply.answer == BROKEN_IMAGE_ANSWER
            assert reply.confidence is None
        else:
            assert not reply.broken_image
            assert reply.answer == direct[reply.question_id].text


def test_nothing_but_broken_images_is_answered_too(tiny_model, tmp_path):
    (tmp_path / "other.txt").touch()
    replica = Replica(settings_for(tiny_model, tmp_path))
    [reply] = replica.answer([Question("1", "what", "none.png")])
    assert reply.broken_image
    assert replica.answer([]) == []


def test_a_folder_that_is_not_mounted_breaks_no_image(tiny_model, tmp_path):
    replica = Replica(settings_for(tiny_model, tmp_path))
    with pytest.raises(StoreUnreachable, match="empty"):
        replica.answer([Question("1", "what", "none.png")])


def test_grounding_is_measured_where_it_is_asked_for(tiny_model, pictures, questions, direct):
    settings = settings_for(tiny_model, pictures[0], measure_grounding=True)
    replies = Replica(settings).answer(questions)
    values = [reply.grounding for reply in replies]
    assert all(0 <= value <= 1 for value in values)
    assert len(set(values)) > 1
    assert {r.question_id: r.answer for r in replies} == {k: a.text for k, a in direct.items()}


def test_what_an_adapter_changes_is_counted_and_it_stays_on(
    tiny_model, tiny_adapter, pictures, questions, direct
):
    replica = Replica(settings_for(tiny_model, pictures[0], adapter=tiny_adapter))
    effect = replica.adapter_effect(questions)
    replies = replica.answer(questions)
    changed = sum(reply.answer != direct[reply.question_id].text for reply in replies)
    assert (effect.checked, effect.changed) == (len(questions), changed)
    assert changed > 0


def test_without_an_adapter_nothing_is_changed(tiny_model, pictures, questions):
    effect = Replica(settings_for(tiny_model, pictures[0])).adapter_effect(questions)
    assert (effect.checked, effect.changed) == (0, 0)


def test_a_replica_says_which_model_it_holds(tiny_model, tiny_adapter, pictures):
    settings = settings_for(tiny_model, pictures[0], adapter=tiny_adapter, quantization="nf4")
    facts = Replica(settings).facts()
    assert facts.model == str(tiny_model)
    assert facts.quantization == "nf4"
    assert len(facts.adapter_sha256) == 64
    assert facts.revision.startswith("sha256:")
    assert facts.dtype == "float32"


def test_settings_that_cannot_work_are_refused_before_anything_is_loaded(
    tiny_model, pictures, tmp_path
):
    with pytest.raises(InputError, match=r"--images .*nowhere: no such folder"):
        settings_for(tiny_model, tmp_path / "nowhere")
    with pytest.raises(InputError, match="not an adapter folder"):
        settings_for(tiny_model, pictures[0], adapter=tmp_path)
    with pytest.raises(InputError, match="no such model folder"):
        settings_for(tmp_path / "nowhere", pictures[0])


def test_settings_hold_whole_paths_since_actors_run_elsewhere(
    tiny_model, tiny_adapter, pictures, monkeypatch
):
    monkeypatch.chdir(tiny_model.parent)
    settings = settings_for(
        tiny_model.relative_to(tiny_model.parent),
        pictures[0],
        adapter=tiny_adapter.relative_to(tiny_model.parent),
    )
    assert settings.model == str(tiny_model.resolve())
    assert settings.adapter == str(tiny_adapter.resolve())


def test_images_behind_a_url_get_the_answers_of_a_folder(tiny_model, pictures):
    questions = [Question(pair.id, pair.question, pair.filename) for pair in pictures[1]]
    here = Replica(settings_for(tiny_model, pictures[0])).answer(questions)
    with serve_folder(pictures[0]) as server:
        there = Replica(settings_for(tiny_model, server.url)).answer(questions)
    assert there == here
