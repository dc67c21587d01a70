"""Replicas on Ray: the same scorecard for any number, whoever dies."""

import shutil
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import ray

from evaluator.fleet import LocalFleet, RayFleet, connect_ray
from evaluator.run import ShardsGivenUp, evaluate
from evaluator.run_folder import read_run, shard_path
from evaluator.shards import cut_shards
from shared.errors import AboVqaError, InputError
from shared.records import QAPair, Question
from tests.evaluator.replicas import (
    DEADLY_IMAGE,
    DIES_ONCE,
    SHARD_COST,
    DyingReplica,
    evaluation_of,
    no_text_models,
    settings_for,
)

# One cluster serves them all, so they belong in one worker of pytest-xdist.
pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    connect_ray(None, 2)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def local(tiny_model, pictures) -> LocalFleet:
    return LocalFleet(settings_for(tiny_model, pictures[0]))


def shards_of(pairs):
    questions = [Question(pair.id, pair.question, pair.filename) for pair in pairs]
    return cut_shards(questions, SHARD_COST)


def replies_by_shard(answered):
    return {answers.shard.index: list(answers.replies) for answers in answered}


def folder_content(folder: Path):
    run = read_run(folder)
    return run.scorecard, list(run.predictions)


def test_the_scorecard_is_the_same_for_any_number_of_replicas(
    tmp_path, local, cluster, tiny_model, pictures
):
    evaluation, settings = evaluation_of(pictures[1]), settings_for(tiny_model, pictures[0])
    evaluate(evaluation, tmp_path / "local", lambda: local, no_text_models)
    for count in (1, 2):
        # A fleet takes the whole machine, and leaves it when it is forgotten.
        evaluate(
            evaluation, tmp_path / str(count), partial(RayFleet, settings, count), no_text_models
        )
    expected = folder_content(tmp_path / "local")
    assert folder_content(tmp_path / "1") == expected
    assert folder_content(tmp_path / "2") == expected


def test_replicas_that_are_killed_are_replaced_and_no_answer_is_lost(
    local, cluster, tiny_model, pictures
):
    two = RayFleet(settings_for(tiny_model, pictures[0]), 2)
    shards = shards_of(pictures[1])
    killed = list(two._actors)
    answered = two.answered_shards(shards)
    done = [next(answered)]
    for actor in killed:
        ray.kill(actor)
    done.extend(answered)
    assert replies_by_shard(done) == replies_by_shard(local.answered_shards(shards))
    assert set(two._actors).isdisjoint(killed)


@pytest.mark.slow
def test_a_shard_that_kills_is_given_up_and_the_rest_is_kept(
    tmp_path, cluster, tiny_model, pictures
):
    images = shutil.copytree(pictures[0], tmp_path / "images")
    # By name they stand in the last shard and in the first.
    shutil.copy(images / "000.png", images / DEADLY_IMAGE)
    (images / "000.png").rename(images / DIES_ONCE)
    pairs = [
        *(p for p in pictures[1] if p.filename != "000.png"),
        QAPair("once", "what color is the shape", "red", DIES_ONCE),
        QAPair("deadly", "what color is the shape", "red", DEADLY_IMAGE),
    ]
    evaluation, folder = evaluation_of(pairs), tmp_path / "run"
    settings = settings_for(tiny_model, images)
    shards = cut_shards(
        [Question(str(row), p.question, p.filename) for row, p in enumerate(pairs)], SHARD_COST
    )
    [deadly] = [s.index for s in shards if DEADLY_IMAGE in {q.filename for q in s.questions}]

    with pytest.raises(ShardsGivenUp, match=rf"1 of {len(shards)} shards .*\({deadly}\)"):
        evaluate(evaluation, folder, partial(RayFleet, settings, 1, DyingReplica), no_text_models)
    assert (images / "has-died").exists()
    missing = [shard.index for shard in shards if not shard_path(folder, shard.index).exists()]
    assert missing == [deadly]
    assert not (folder / "scorecard.json").exists()

    evaluate(evaluation, folder, lambda: LocalFleet(settings), no_text_models)
    assert {p.pair.id for p in read_run(folder).predictions} == {pair.id for pair in pairs}


def test_a_model_that_does_not_load_is_one_clear_error(
    cluster, tiny_model, tiny_adapter, pictures, tmp_path
):
    adapter = shutil.copytree(tiny_adapter, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"not safetensors")
    fleet = RayFleet(settings_for(tiny_model, pictures[0], adapter=adapter), 1)
    with pytest.raises(AboVqaError, match="not a safetensors file"):
        fleet.facts()


@pytest.mark.parametrize("host", ["127.0.0.1", "ray://127.0.0.1", "no-such-host.invalid"])
def test_a_cluster_that_does_not_answer_is_bad_input(host):
    with socket.socket() as unheard:
        # Bound but not listening: whoever connects is refused, and no one else gets the port.
        unheard.bind(("127.0.0.1", 0))
        address = f"{host}:{unheard.getsockname()[1]}"
        with pytest.raises(InputError, match=f"--address {address}: no Ray cluster answers"):
            connect_ray(address, 1)
