"""Replicas on Ray: every shard is answered once, whoever dies or does not start."""

import socket
from collections.abc import Iterator

import pytest
import ray
from ray import cloudpickle

from evaluator.answering.fleet import LocalFleet
from evaluator.answering.ray_fleet import RayFleet
from evaluator.answering.replica import Replica
from evaluator.answering.shards import LARGEST_COST, cut_shards
from evaluator.runs.run import evaluate
from shared.cluster.ray_cluster import ReplicaShare, connect_ray, leave_ray
from shared.errors import AboVqaError, InputError
from shared.records import Question
from tests.evaluator.replicas import evaluation_of, no_text_models, settings_for
from tests.evaluator.scripted_replica import ScriptedReplica
from tests.fakes.clock import FakeClock

# One cluster serves them all, so they belong in one worker of pytest-xdist.
pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray")]

ONE_CPU = ReplicaShare(num_cpus=1, num_gpus=0.0)
INLINE_BYTES = 100 * 1024
"""Ray keeps what is smaller out of the object store."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    connect_ray(None, 2, "evaluator")
    yield
    leave_ray()


@pytest.fixture
def scripted(cluster, tmp_path):
    """Makes fleets of replicas without a model."""

    def fleet(replicas: int, *, start: str = "", share: ReplicaShare = ONE_CPU) -> RayFleet:
        return RayFleet(ScriptedReplica, (tmp_path, start), replicas, share)

    return fleet


def shards_of(*names: str):
    """One shard for each image."""
    return cut_shards([Question(name, "what", name) for name in names], shard_cost=1.0)


def said(answered) -> dict[str, list[str]]:
    return {
        answers.shard.questions[0].filename: [reply.answer for reply in answers.replies]
        for answers in answered
        if answers.replies is not None
    }


NAMES = [f"{number}.png" for number in range(6)]
ALL_SAID = {name: [f"what {name}"] for name in NAMES}


def test_two_replicas_on_ray_give_the_scorecard_of_one_in_this_process(
    tmp_path, cluster, tiny_model, pictures
):
    evaluation, settings = evaluation_of(pictures[1]), settings_for(tiny_model, pictures[0])
    fleets = {
        "local": lambda: LocalFleet(Replica(settings)),
        "ray": lambda: RayFleet(Replica, [settings], 2, ONE_CPU),
    }
    for name, fleet in fleets.items():
        evaluate(evaluation, tmp_path / name, fleet, no_text_models, FakeClock())
    for file in ("scorecard.json", "predictions.csv"):
        assert (tmp_path / "ray" / file).read_bytes() == (tmp_path / "local" / file).read_bytes()


def test_replicas_that_are_killed_are_replaced_and_no_answer_is_lost(scripted):
    fleet = scripted(2)
    answered = fleet.answered_shards(shards_of(*NAMES))
    done = [next(answered)]
    killed = [*fleet._idle, *(actor for _, actor in fleet._running.values())]
    for actor in killed:
        ray.kill(actor)
    done.extend(answered)
    assert said(done) == ALL_SAID
    assert fleet.ready + len(fleet._starting) >= 1
    assert set(fleet._idle).isdisjoint(killed)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("deadly.png", "died", marks=pytest.mark.slow),
        ("raises.png", "CUDA out of memory at raises.png"),
    ],
)
def test_a_shard_that_fails_each_time_is_given_up_and_the_rest_is_answered(
    scripted, tmp_path, name, reason
):
    done = list(scripted(1).answered_shards(shards_of(*NAMES, name)))
    assert said(done) == ALL_SAID
    [given_up] = [answers for answers in done if answers.replies is None]
    assert given_up.shard.questions[0].filename == name
    assert reason in given_up.reason


def test_a_shard_that_fails_once_is_answered_by_another_try(scripted):
    done = list(scripted(2).answered_shards(shards_of("deadly-once.png", "raises-once.png")))
    assert said(done).keys() == {"deadly-once.png", "raises-once.png"}


@pytest.mark.slow
def test_replicas_without_room_hold_nobody_up(scripted):
    fleet = scripted(3)  # on two cores
    done = list(fleet.answered_shards(shards_of(*NAMES)))
    assert said(done) == ALL_SAID
    assert fleet.ready <= 2


@pytest.mark.slow
def test_a_replica_that_dies_while_it_loads_is_started_again(scripted):
    done = list(scripted(1, start="dies once").answered_shards(shards_of(*NAMES)))
    assert said(done) == ALL_SAID


@pytest.mark.parametrize(
    ("start", "reason", "code"),
    [
        ("raises", "not a safetensors file", 1),
        ("bad input", "adapter: was it trained on another base", 2),
        pytest.param("dies", "", 1, marks=pytest.mark.slow),
    ],
)
def test_replicas_that_never_start_are_one_clear_error(scripted, start, reason, code):
    with pytest.raises(AboVqaError, match=f"no replica could start: .*{reason}") as raised:
        scripted(1, start=start).facts()
    assert raised.value.exit_code == code
    assert "shared.errors" not in str(raised.value)


@pytest.mark.slow
def test_replicas_with_different_models_do_not_work_together(scripted):
    # The first one dies of its shard; the one that takes its place loads something else.
    fleet = scripted(1, start="other revision once")
    with pytest.raises(AboVqaError, match="replicas hold different models"):
        list(fleet.answered_shards(shards_of("deadly-once.png")))


def test_what_goes_out_stays_out_of_the_object_store():
    questions = [
        Question(f"{image}-{number}", "what is the main material of the shown product", f"{image}")
        for image in range(8_000)
        for number in range(5)
    ]
    [first, *_] = cut_shards(questions)
    images = {question.filename for question in first.questions}
    assert 4 * len(images) + len(first.questions) > 0.9 * LARGEST_COST
    assert len(cloudpickle.dumps(first.questions)) < INLINE_BYTES


@pytest.mark.parametrize("host", ["127.0.0.1", "ray://127.0.0.1", "no-such-host.invalid"])
def test_a_cluster_that_does_not_answer_is_bad_input(host):
    with socket.socket() as unheard:
        # Bound but not listening: whoever connects is refused, and no one else gets the port.
        unheard.bind(("127.0.0.1", 0))
        address = f"{host}:{unheard.getsockname()[1]}"
        with pytest.raises(InputError, match=f"--address {address}: no Ray cluster answers"):
            connect_ray(address, 1, "evaluator")
