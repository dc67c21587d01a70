"""What one replica takes of a cluster: whole cores, parts of cards, and room for all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.__main__ import app
from shared.cluster.ray_cluster import ReplicaShare, replica_share
from shared.program.cli import run_program


def cpus(*counts):
    return [{"CPU": float(count)} for count in counts]


def cards(*nodes):
    return [{"CPU": float(cpu), "GPU": float(gpu)} for cpu, gpu in nodes]


@pytest.mark.parametrize(
    ("nodes", "replicas", "asked", "share"),
    [
        (cpus(2), 1, None, ReplicaShare(2, 0.0)),
        (cpus(8), 3, None, ReplicaShare(2, 0.0)),
        (cpus(2, 2), 2, None, ReplicaShare(2, 0.0)),
        (cpus(3, 1), 4, None, ReplicaShare(1, 0.0)),
        (cpus(0), 2, None, ReplicaShare(1, 0.0)),
        ([], 2, None, ReplicaShare(1, 0.0)),
        (cards((8, 2)), 2, None, ReplicaShare(4, 1.0)),
        # Three on two cards: two share one, so each takes half of one.
        (cards((8, 2)), 3, None, ReplicaShare(2, 0.5)),
        ([*cpus(0), *cards((4, 1), (4, 1))], 8, None, ReplicaShare(1, 0.25)),
        (cards((4, 1)), 3, None, ReplicaShare(1, 0.3333)),
        (cards((8, 2)), 2, 0.25, ReplicaShare(4, 0.25)),
        (cards((8, 2)), 2, 0.0, ReplicaShare(4, 0.0)),
        (cards((8, 4)), 2, 2.0, ReplicaShare(4, 2.0)),
    ],
)
def test_the_share(nodes, replicas, asked, share):
    assert replica_share(nodes, replicas, asked) == share


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 8)), min_size=1), st.integers(1, 40))
def test_all_replicas_fit_on_the_cards_of_any_cluster_that_has_some(nodes, replicas):
    share = replica_share(cards(*[(64, gpu) for gpu, _ in nodes]), replicas, None)
    total = sum(gpu for gpu, _ in nodes)
    if not total:
        assert share.num_gpus == 0
        return
    assert total * int(1 / share.num_gpus) >= replicas


def test_a_part_of_several_cards_is_refused_before_anything_else(tmp_path, capsys):
    options = [
        "--data",
        "none",
        "--images",
        "none",
        "--model",
        "blip-vqa-tiny",
        "--out",
        tmp_path / "run",
    ]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", ["run", "--gpus-per-replica", "1.5", *map(str, options)])
    assert leaving.value.code == 2
    assert "--gpus-per-replica 1.5: give a part of a card" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
