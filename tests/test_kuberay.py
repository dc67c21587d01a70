"""The manifests for KubeRay and the image that they name hold what both ask for.

Where the environment variable KUBERAY_CRDS names a folder with the operator's custom resource
definitions (``helm-chart/kuberay-operator/crds`` of its repository), their whole schema is held to,
with no field beyond it. Without them the fields are those of KubeRay's ``raycluster_types.go``
(commit 026f143), ``rayjob_types.go`` (f6ef3f7) and ``ray.io_rayjobs.yaml`` (037e91b), read on
2026-11-29 and 30, and of Kubernetes' PodSpec as far as we use it; its own schema is held to where
kubernetes-validate is installed.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from typer.main import get_command

from evaluator.__main__ import app

ROOT: Final = Path(__file__).parents[1]
FILES: Final = ROOT / "docs" / "cluster"
MANIFESTS: Final = ("rayjob.yaml", "raycluster.yaml")
TEXT: Final = {"type": "string"}
COUNT: Final = {"type": "integer", "minimum": 0}
QUANTITY: Final = {"anyOf": [COUNT, {"type": "string", "pattern": r"^[0-9.]+([KMGTPE]i?|m)?$"}]}


def closed(required: str = "", **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these fields alone."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def several(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema, "minItems": 1}


AMOUNTS: Final = {"type": "object", "additionalProperties": QUANTITY}
START: Final = {"type": "object", "additionalProperties": TEXT}
POD: Final = closed(
    "spec",
    spec=closed(
        "containers",
        containers=several(
            closed(
                "name image",
                name=TEXT,
                image=TEXT,
                resources=closed(requests=AMOUNTS, limits=AMOUNTS),
                ports=several(closed("containerPort", name=TEXT, containerPort=COUNT)),
                volumeMounts=several(closed("name mountPath", name=TEXT, mountPath=TEXT)),
            )
        ),
        volumes=several(
            closed("name", name=TEXT, persistentVolumeClaim=closed("claimName", claimName=TEXT))
        ),
    ),
)
CLUSTER: Final = closed(
    "headGroupSpec",
    rayVersion=TEXT,
    headGroupSpec=closed("rayStartParams template", rayStartParams=START, template=POD),
    workerGroupSpecs=several(
        closed(
            "groupName minReplicas maxReplicas rayStartParams template",
            groupName=TEXT,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            rayStartParams=START,
            template=POD,
        )
    ),
)
JOB: Final = closed(
    entrypoint=TEXT,
    backoffLimit=COUNT,
    shutdownAfterJobFinishes={"type": "boolean"},
    ttlSecondsAfterFinished=COUNT,
    rayClusterSpec=CLUSTER,
)
KINDS: Final = {"RayJob": JOB, "RayCluster": CLUSTER}


def written(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FILES / name).read_text(encoding="utf-8"))
    return content


def cluster_of(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = written(name)["spec"]
    return spec.get("rayClusterSpec", spec)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_has_fields_that_kuberay_knows(name: str) -> None:
    manifest = written(name)
    assert manifest["apiVersion"] == "ray.io/v1"
    jsonschema.validate(manifest["spec"], KINDS[manifest["kind"]])
    manifest["spec"]["backofLimit"] = 3
    with pytest.raises(jsonschema.ValidationError, match="backofLimit"):
        jsonschema.validate(manifest["spec"], KINDS[manifest["kind"]])


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_passes_the_operators_own_schema(name: str) -> None:
    folder = os.environ.get("KUBERAY_CRDS")
    if not folder:
        pytest.skip("needs KUBERAY_CRDS, a folder with KubeRay's custom resource definitions")
    manifest = written(name)
    definition = yaml.safe_load(
        (Path(folder) / f"ray.io_{manifest['kind'].lower()}s.yaml").read_text(encoding="utf-8")
    )
    [schema] = [
        version["schema"]["openAPIV3Schema"]
        for version in definition["spec"]["versions"]
        if version["name"] == "v1"
    ]
    jsonschema.validate(manifest, strict(schema))


@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_itself_takes_the_pods(name: str) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    cluster = cluster_of(name)
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    pods = [{"metadata": {"name": name}, **group["template"]} for group in groups]
    newest = kubernetes.latest_version()
    for pod in pods:
        kubernetes.validate({"apiVersion": "v1", "kind": "Pod", **pod}, newest, strict=True)
    pods[0]["spec"]["containers"][0]["resource"] = {}
    with pytest.raises(kubernetes.ValidationError, match="resource"):
        kubernetes.validate({"apiVersion": "v1", "kind": "Pod", **pods[0]}, newest, strict=True)


def strict(schema: Any) -> Any:
    """Return a schema that takes no field that it does not name, which Kubernetes would drop."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {name: strict(part) for name, part in schema.items()}
    is_object = isinstance(schema.get("properties"), dict)
    if is_object and not schema.get("x-kubernetes-preserve-unknown-fields"):
        whole.setdefault("additionalProperties", False)
    return whole


def test_both_clusters_are_one_and_replicas_find_cards() -> None:
    job, cluster = map(cluster_of, MANIFESTS)
    assert job == cluster
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    [workers] = cluster["workerGroupSpecs"]
    assert 0 < workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    pods = [cluster["headGroupSpec"]["template"]["spec"], workers["template"]["spec"]]
    containers = [container for pod in pods for container in pod["containers"]]
    assert "nvidia.com/gpu" in containers[1]["resources"]["limits"]
    for pod, container in zip(pods, containers, strict=True):
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"]: "/mnt/abo" for volume in pod["volumes"]}
        # A Ray pod that has less than it asked for is killed by others' needs.
        assert container["resources"]["requests"] == container["resources"]["limits"]
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    assert cluster["rayVersion"] == pinned[1]


def test_the_job_is_one_that_evaluator_takes_and_goes_on_after_a_stop() -> None:
    spec = written("rayjob.yaml")["spec"]
    program, command, *words = shlex.split(spec["entrypoint"])
    assert (program, command) == ("evaluator", "run")
    run = get_command(app).commands[command]  # type: ignore[attr-defined]
    assert str(run.make_context(command, words).params["out"]).startswith("/mnt/abo/")
    assert spec["backoffLimit"] > 0


def test_docker_takes_the_image_of_each_part() -> None:
    parser = pytest.importorskip("dockerfile_parse", reason="needs dockerfile-parse")
    file = parser.DockerfileParser(fileobj=io.BytesIO((FILES / "Dockerfile").read_bytes()))
    steps = [(one["instruction"], one["value"]) for one in file.structure]
    names = [name for name, _ in steps if name != "COMMENT"]
    assert names[0] == "FROM"
    assert set(names) <= {"FROM", "ARG", "RUN", "COPY", "USER", "WORKDIR", "CMD"}
    assert file.baseimage == "python:3.12-slim"
    copied = {source for name, value in steps if name == "COPY" for source in value.split()[:-1]}
    assert {"trainer", "evaluator", "shared", "pyproject.toml", "constraints.txt"} <= copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    ran = "\n".join(value for name, value in steps if name == "RUN")
    # What hadolint asks for: DL3009, DL3013, DL3015, DL3042; and KubeRay's probes need wget.
    assert "rm -rf /var/lib/apt/lists/*" in ran
    assert "--no-install-recommends wget" in ran
    assert ran.count("pip install") == ran.count("pip install --no-cache-dir") == 2
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert {pin for pin in pins if pin.startswith(("torch==", "torchvision=="))} <= set(ran.split())
    # Last, no process of root's.
    assert [value for name, value in steps if name == "USER"] == ["1000"]
    assert names.index("USER") > max(at for at, name in enumerate(names) if name == "RUN")
