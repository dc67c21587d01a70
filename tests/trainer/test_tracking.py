"""A run's numbers arrive at the trackers that its recipe names."""

import importlib.util
import struct

import pytest
from tensorboardX.proto.event_pb2 import Event

from shared.errors import InputError
from trainer.recipe import Track
from trainer.tracking import open_trackers, require_libraries


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    """Read event files: length, its check sum, the event, its check sum."""
    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.glob("events*")):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += length + 16
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_gets_every_number_with_its_step(tmp_path):
    [tracker] = open_trackers([Track.TENSORBOARD], tmp_path, {"epochs": 3}, 0)
    tracker.log({"loss": 2.5, "grad_norm": 1.0}, 1)
    tracker.log({"loss": 2.0}, 2)
    tracker.close()
    assert scalars(tmp_path / "tensorboard") == {
        "loss": [(1, 2.5), (2, 2.0)],
        "grad_norm": [(1, 1.0)],
    }


def test_no_tracker_leaves_nothing(tmp_path):
    assert open_trackers([], tmp_path, {}, 0) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [Track.WANDB, Track.MLFLOW])
def test_a_library_that_is_missing_is_named_with_its_extra(name):
    if importlib.util.find_spec(name.value) is not None:
        pytest.skip(f"{name} is installed")
    with pytest.raises(InputError, match=rf"pip install 'abo-vqa\[{name}\]'"):
        require_libraries([Track.TENSORBOARD, name])
