"""A run's numbers arrive at the trackers that its recipe names."""

import importlib.util
import resource
import struct

import pytest
from tensorboardX.proto.event_pb2 import Event

from shared.errors import InputError
from trainer.recipe.recipe import Track
from trainer.training.tracking import open_trackers, require_trackers


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    """Read event files: length, its check sum, the event, its check sum."""
    numbers: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.glob("events*")):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += length + 16
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    numbers.setdefault(value.tag, []).append((event.step, value.simple_value))
    return numbers


def test_tensorboard_gets_every_number_with_its_step(tmp_path):
    [tracker] = open_trackers([Track.TENSORBOARD], tmp_path, {"epochs": 3}, 0)
    tracker.log({"loss": 2.5, "grad_norm": 1.0}, 1)
    tracker.log({"loss": 2.0}, 2)
    tracker.close()
    assert scalars(tmp_path / "tensorboard") == {
        "loss": [(1, 2.5), (2, 2.0)],
        "grad_norm": [(1, 1.0)],
    }


def log_steps(tracker, count: int) -> None:
    for step in range(count):
        tracker.log({"loss": 1.0}, step)


def test_a_full_disk_is_told_and_nobody_waits_for_it(tmp_path):
    [tracker] = open_trackers([Track.TENSORBOARD], tmp_path, {"epochs": 3}, 0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            log_steps(tracker, 2_000)
        with pytest.raises(OSError, match="File too large"):
            tracker.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_tracker_leaves_nothing(tmp_path):
    assert open_trackers([], tmp_path, {}, 0) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [Track.WANDB, Track.MLFLOW])
def test_a_library_that_is_missing_is_named_with_its_extra(name):
    if importlib.util.find_spec(name.value) is not None:
        pytest.skip(f"{name} is installed")
    with pytest.raises(InputError, match=rf"pip install 'abo-vqa\[{name}\]'"):
        require_trackers([Track.TENSORBOARD, name])


RECIPE = {"epochs": 3, "lora": {"rank": 4, "targets": ["query", "value"]}}


def log_and_resume(track, out) -> None:
    """Track two steps, then a third one in a run that was resumed."""
    for first_step, losses in ((0, [2.5, 2.0]), (2, [1.0])):
        [tracker] = open_trackers([track], out, RECIPE, first_step)
        for step, loss in enumerate(losses, start=first_step + 1):
            tracker.log({"loss": loss}, step)
        tracker.close()


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_goes_on_in_mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    log_and_resume(Track.MLFLOW, tmp_path)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("abo-vqa")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.data.params["epochs"] == "3"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(row.step, row.value) for row in history] == [(1, 2.5), (2, 2.0), (3, 1.0)]


@pytest.mark.filterwarnings("ignore")
def test_a_store_that_mlflow_refuses_is_an_error_with_a_way_out(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI"):
        require_trackers([Track.MLFLOW])
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI"):
        open_trackers([Track.MLFLOW], tmp_path, RECIPE, 0)


def test_wandb_without_a_key_is_an_error_with_a_way_out(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name in ("HOME", "NETRC", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    # It reads its variables once.
    wandb.teardown()
    with pytest.raises(InputError, match=r"wandb login.*WANDB_MODE=offline"):
        require_trackers([Track.WANDB])
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb.teardown()
    require_trackers([Track.WANDB])
    wandb.teardown()


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_goes_on_under_its_id_in_wandb(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    log_and_resume(Track.WANDB, tmp_path)
    run_id = (tmp_path / "wandb-run-id").read_text(encoding="utf-8")
    parts = sorted(file.name for file in tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    # `wandb sync` puts parts of one id together.
    assert parts == [f"run-{run_id}.wandb"] * 2
