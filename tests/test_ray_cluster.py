"""The clusters for AWS and Google pass the checks that ``ray up`` makes before it calls the cloud.

What only a cloud can tell stays unchecked: that the image, the instance types and the role exist.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from typer.main import get_command

from evaluator.__main__ import app

ROOT = Path(__file__).parents[1]
CLUSTER_FILES = {"aws": ROOT / "ray_cluster.yaml", "gcp": ROOT / "docs/cluster/gcp.yaml"}


@pytest.fixture(params=list(CLUSTER_FILES))
def file(request: pytest.FixtureRequest) -> Path:
    """Where a cluster's description is."""
    return CLUSTER_FILES[request.param]


@pytest.fixture
def cluster(file: Path) -> dict[str, Any]:
    """It as it is written."""
    written: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return written


def test_ray_accepts_the_file(cluster: dict[str, Any]) -> None:
    """Ray's own defaults and schema, in the order of ``ray up``."""
    validate_config(prepare_config(cluster))


def test_ray_would_refuse_a_misspelt_option(cluster: dict[str, Any]) -> None:
    """The check above can fail."""
    cluster["available_node_types"]["gpu_worker"]["max_worker"] = 8
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        validate_config(prepare_config(cluster))


def test_replicas_find_cards_and_the_head_offers_no_room(cluster: dict[str, Any]) -> None:
    """Replicas share what is up at the start, so GPU workers must be there from the start."""
    types = prepare_config(cluster)["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    worker = types["gpu_worker"]
    assert worker["resources"]["GPU"] == 1
    assert 0 < worker["min_workers"] <= worker["max_workers"] <= cluster["max_workers"]


def test_nodes_get_the_versions_of_the_constraints(cluster: dict[str, Any]) -> None:
    """All nodes install what was tested: torch by its pinned version, the rest constrained."""
    commands = "\n".join(cluster["setup_commands"])
    pinned = re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"install --quiet {pinned[0]}\n" in commands
    assert "--constraint ~/abo-vqa/constraints.txt" in commands
    assert "/home/ubuntu/abo-vqa/constraints.txt" in cluster["file_mounts"]


def test_every_command_is_shell(cluster: dict[str, Any]) -> None:
    """bash parses each command; nothing is run."""
    commands = [
        command
        for name, section in cluster.items()
        if name.endswith("_commands")
        for command in section
    ]
    assert len(commands) > 5
    for command in commands:
        subprocess.run(["bash", "-n", "-c", command], check=True)


def test_nodes_of_both_clouds_are_set_up_alike() -> None:
    """A package that one needs, the other needs too."""
    aws, gcp = (yaml.safe_load(file.read_text()) for file in CLUSTER_FILES.values())
    for name in ("setup_commands", "file_mounts", "head_start_ray_commands", "max_workers"):
        assert aws[name] == gcp[name]


def test_the_submitted_command_line_is_one_that_evaluator_takes(file: Path) -> None:
    """The comment shows a job; its options are parsed as ``evaluator run`` would."""
    comment = file.read_text(encoding="utf-8").partition("cluster_name:")[0]
    text = comment.replace("\\\n#", "").partition("-- evaluator run")[2].partition("\n")[0]
    run = get_command(app).commands["run"]  # type: ignore[attr-defined]
    context = run.make_context("run", shlex.split(text))
    assert context.params["replicas"] == 8
    assert str(context.params["images"]) == "/mnt/abo/images/small"
