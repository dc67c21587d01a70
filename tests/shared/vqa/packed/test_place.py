"""A packed model is read from a hub as from its folder."""

import os
import shutil
import subprocess
import sys

import pytest

from evaluator.answering.replica_settings import replica_settings
from shared.dataset.training_images import TrainingImages, write_training_images
from shared.errors import InputError
from shared.vqa.packed.place import packed_folder
from shared.vqa.packed.record import PACKED_FILE, WEIGHTS
from shared.vqa.quantization import Quantization
from tests.fakes.hub import serve_hub
from tests.models import save_packed_model
from trainer.publishing.folder import published

FROM_THE_HUB = """
import sys
import torch
from pathlib import Path
from PIL import Image
from evaluator.answering.replica_settings import replica_settings
from shared.corpus import write_json
from shared.errors import InputError
from shared.vqa.adapting.adapter_files import TRAINING_RECORD
from shared.vqa.adapting.rounded_together import mark_rounded_together, require_its_base
from shared.vqa.families import load_answerer
from shared.vqa.packed.place import packed_folder, packed_record_of
from shared.vqa.quantization import Quantization
from shared.vqa.trained_on import known_training
from tests.fakes.hub import COMMIT
from tests.models import QUESTIONS

name, folder = "shop/small", Path(sys.argv[1])
packed, adapter = Quantization.PACKED, folder.parent / "adapter"
picture, given = Image.new("RGB", (40, 30), "red"), []
assert replica_settings(name, None, "nf4", folder, batch_size=1).quantization is packed
for model in (name, str(folder)):
    held = load_answerer(model, device=torch.device("cpu"))
    given.append(held.answer(held.remember([held.prepare(picture)]), [0] * 2, QUESTIONS[:2]))
    revision = held.model.revision
    if model == name:
        assert (held.model.quantization, revision) == (packed, COMMIT)
assert given[0] == given[1]
assert packed_record_of(name) == packed_record_of(str(folder))
assert packed_folder("shop/plain") is None

assert known_training(name).images == known_training(str(folder)).images
assert known_training(name).images is not None

adapter.mkdir()
mark_rounded_together(adapter)
said = []
for trained_on in (COMMIT, revision, "f" * 40):
    write_json({"base": name, "base_revision": trained_on}, adapter / TRAINING_RECORD)
    try:
        require_its_base(adapter, name, packed)
    except InputError as error:
        said.append(str(error))
assert len(said) == 1 and "another packed base than shop/small" in said[0], said
"""


@pytest.mark.slow
def test_it_is_held_packed_and_answers_as_its_folder_does(tmp_path, tiny_model):
    small = save_packed_model(tmp_path / "shop/small", tiny_model, Quantization.HQQ4)
    write_training_images(TrainingImages(sources=[{"name": "of the base"}]), small)
    (tmp_path / "shop/plain").mkdir()
    (tmp_path / "shop/plain/config.json").write_text("{}", encoding="utf-8")
    with serve_hub(tmp_path) as hub:
        asked = subprocess.run(
            [sys.executable, "-c", FROM_THE_HUB, small],
            env={
                **os.environ,
                "HF_ENDPOINT": hub.url,
                "HF_HOME": str(tmp_path / "cache"),
                "HF_HUB_OFFLINE": "0",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert asked.returncode == 0, asked.stderr


def test_a_record_without_its_weights_is_told(tmp_path, tiny_model):
    folder = save_packed_model(tmp_path / "small", tiny_model, Quantization.HQQ4)
    assert packed_folder(str(folder)) == folder
    assert packed_folder(str(tiny_model)) is None
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"has packed\.json without model\.safetensors"):
        packed_folder(str(folder))


@pytest.fixture(scope="module")
def packed(tmp_path_factory, tiny_model):
    return save_packed_model(tmp_path_factory.mktemp("small") / "m", tiny_model, Quantization.HQQ4)


def cut(folder):
    with (folder / WEIGHTS).open("rb+") as file:
        file.truncate(100_000)


def change(old, new):
    def edit(folder):
        path = folder / PACKED_FILE
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "or only a part of one"),
        (
            lambda folder: (folder / PACKED_FILE).unlink(),
            r"its weights are packed, but packed\.json",
        ),
        (change('"bits": 4', '"bits": 3'), r"do not belong together \(.*codes is \["),
        (change('"names": [\n        "', '"names": [\n        "no.'), "is not told of"),
        (change('"shared": {', '"shared": {"a": "b",'), r"\(no b\)"),
        (change('"version": 1', '"version": 2'), "not of version 1"),
    ],
)
def test_what_was_cut_or_changed_by_hand_is_told_before_a_weight_is_read(
    packed, tmp_path, damage, said
):
    folder = shutil.copytree(packed, tmp_path / "copied")
    damage(folder)
    with pytest.raises(InputError, match=said):
        replica_settings(str(folder), None, "nf4", tmp_path, batch_size=1)
    with pytest.raises(InputError, match=said):
        published(folder)
