"""A misspelt local folder is told at once, and never sought on a hub."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.metrics.text_models.model_source import find_text_model
from shared.errors import InputError
from shared.vqa.adapting.adapter_files import require_adapter
from shared.vqa.adapting.named_folder import named_folder
from shared.vqa.names.hub_names import means_a_folder
from shared.vqa.names.model_names import resolve_model


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/chairs").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["./adapterx", "models/chair", "blip/", "~/blipp", "../x/y", "/no/where", "a/b/c", "a//b"],
)
def test_such_a_name_means_a_folder(here, name):
    assert means_a_folder(name)
    for find in (resolve_model, find_text_model):
        with pytest.raises(InputError, match="no such"):
            find(name)


@pytest.mark.parametrize("name", ["Salesforce/blip-vqa-base", "roberta-large"])
def test_a_hub_id_is_none(here, name):
    assert not means_a_folder(name)


def test_a_vqa_model_without_an_owner_is_a_folder(here):
    with pytest.raises(InputError, match=r"merged: no such model folder.*owner/name"):
        resolve_model("merged")


def test_the_folder_that_was_meant_is_named(here):
    with pytest.raises(InputError, match=r"did you mean models/chairs\?"):
        resolve_model("models/chair")
    with pytest.raises(InputError, match=r"no such adapter folder; did you mean models/chairs\?"):
        require_adapter(Path("models/chiars"))


@pytest.mark.parametrize(
    "url", ["hf://shop/lamps", "https://hub.test/shop/lamps", "https://hub.test/shop/lamps/tree/v2"]
)
def test_a_url_of_a_hub_is_answered_with_the_id_in_it(here, url):
    for find in (resolve_model, find_text_model):
        with pytest.raises(InputError, match=f"{url}: a URL; give the model's hub id alone, shop"):
            find(url)
    with pytest.raises(InputError, match=f"{url}: a URL; .*`hf download shop/lamps --local-dir"):
        require_adapter(named_folder(f"lamps={url}")[1])


def test_an_adapter_on_a_hub_has_to_be_fetched_first(here):
    with pytest.raises(InputError, match=r"shop/lamps: no such .*`hf download shop"):
        require_adapter(Path("shop/lamps"))
    with pytest.raises(InputError, match="s3://shop/lamps: a URL; give an adapter's folder"):
        require_adapter(Path("s3://shop/lamps"))


@pytest.mark.slow
def test_what_was_fetched_before_is_no_folder_beside_one_of_its_owner(here, tmp_path, tiny_model):
    (here / "someone").mkdir()
    cache = tmp_path / "hub/models--someone--blip"
    shutil.copytree(tiny_model, cache / "snapshots/abc")
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("abc", encoding="utf-8")
    command = (
        "from shared.vqa.names.model_names import resolve_model as r; print(r('someone/blip'))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", command],
        env={
            **os.environ,
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "PYTHONPATH": str(Path(__file__).parents[4]),
        },
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.strip() == "someone/blip", ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        "evaluator predict --model models/chiars --image x.png --question what",
        pytest.param(
            "evaluator run --data x.csv --images . --model ./adapterx --out out",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_command_says_so_without_asking_a_hub(here, command):
    with socket.create_server(("127.0.0.1", 0)) as hub:
        ended = subprocess.run(
            [sys.executable, "-m", *command.split()],
            env={
                **os.environ,
                "HF_HUB_OFFLINE": "0",
                "HF_ENDPOINT": f"http://127.0.0.1:{hub.getsockname()[1]}",
                "PYTHONPATH": str(Path(__file__).parents[4]),
            },
            cwd=here,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        hub.setblocking(False)
        with pytest.raises(BlockingIOError):
            hub.accept()
    assert ended.returncode == 2, ended.stderr
    [line] = ended.stderr.strip().splitlines()
    assert "no such model folder" in line
    assert not (here / "out").exists()
