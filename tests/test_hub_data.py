"""`hf://datasets/...` stands wherever data do; a hub on loopback gives them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from shared.corpus import read_pairs, write_pairs
from shared.dataset.folder import write_dataset
from tests.fakes.hub import serve_hub
from tests.pictures import draw_gallery
from tests.test_pictures_within import hub_shards
from tests.trainer.recipes import SPLITS, fit_settings, write_recipe

pytest.importorskip("huggingface_hub", reason="the package huggingface_hub is not installed")


@pytest.fixture
def repositories(tmp_path):
    """Data sets as people put them on the hub: shards, a folder of ours, a table, a choice."""
    pairs, images = draw_gallery(tmp_path / "images", 10, SPLITS), tmp_path / "images"
    folder = tmp_path / "hub" / "shop"
    hub_shards(folder / "shards", pairs, images)
    (folder / "shards" / "README.md").write_text("# A card\n")
    write_dataset(pairs, folder / "ours", source={}, split_rule={}, embed_from=images)
    (folder / "table").mkdir()
    write_pairs(pairs, folder / "table" / "qa [1].csv")
    shutil.copytree(images, folder / "table" / "pictures")
    rows = [f"{number},mug,pictures/{file.name}" for number, file in enumerate(images.iterdir())]
    (folder / "table" / "products.txt").write_text("\n".join(["sku,title,image", *rows]))
    (folder / "addresses").mkdir()
    (folder / "addresses" / "products.csv").write_text("image\nhttp://127.0.0.1:9/a.jpg\n")
    for name in ("de", "en"):
        (folder / "choice" / name).mkdir(parents=True)
        shutil.copy(folder / "ours" / "qa.parquet", folder / "choice" / name / "a.parquet")
    return tmp_path / "hub"


@pytest.fixture
def hub(repositories):
    with serve_hub(repositories) as server:
        yield server


@pytest.fixture
def ask(tmp_path, hub):
    """Run a program with the hub's address in its environment; return how it ended."""

    def run(program, *words, **variables):
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "ABO_VQA_CACHE": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_ETAG_TIMEOUT": "2",
            **variables,
        }
        return subprocess.run(
            [sys.executable, "-m", program, *map(str, words)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def checked(process):
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("name", ["ours", pytest.param("shards@main/data", marks=pytest.mark.slow)])
def test_a_data_set_is_fetched_once_and_used_with_its_pictures(name, ask, hub):
    address = f"hf://datasets/shop/{name}"
    first = ask("evaluator", "check", address, "--json")
    found = checked(first)
    assert (found["pairs"], found["images"], found["missing_images"]) == (20, 10, 0)
    assert "data_of_the_hub" in first.stderr
    assert "mib=" in first.stderr
    sent = list(hub.sent)
    assert "README.md" not in sent
    assert checked(ask("evaluator", "check", address, "--json")) == found
    assert hub.sent == sent
    offline = ask("evaluator", "check", address, "--json", HF_HUB_OFFLINE="1")
    assert checked(offline) == found


def test_a_file_and_a_folder_of_pictures_are_fetched(ask):
    words = ["hf://datasets/shop/table", "--images", "hf://datasets/shop/table/pictures"]
    found = checked(ask("evaluator", "check", *words, "--json"))
    assert (found["pairs"], found["images"], found["missing_images"]) == (20, 10, 0)
    again = ask("evaluator", "check", f"{words[0]}/qa [1].csv", *words[1:], "--json")
    assert checked(again)["pairs"] == 20


CATALOGUES = {
    "shards": 10,
    "shards/data/train-00000-of-00001.parquet": 6,
    "table/products.txt": 10,
    "table/pictures": 10,
    "addresses/products.csv": 0,
}


def test_a_catalogue_is_fetched_with_its_pictures(ask, hub, tmp_path):
    addresses = [f"hf://datasets/shop/{name}" for name in CATALOGUES]
    told = ask("tests.hub_catalogues", *addresses)
    assert told.returncode == 0, told.stderr
    assert list(map(int, told.stdout.split())) == list(CATALOGUES.values())
    # Those within are written into our cache, and the hub's stays as it is.
    assert list((tmp_path / "cache").rglob("*.png"))
    hub.sent.clear()
    assert ask("tests.hub_catalogues", *addresses, HF_HUB_OFFLINE="1").stdout == told.stdout
    assert hub.sent == []


def test_a_campaign_file_names_a_catalogue_of_the_hub(ask, tmp_path):
    (tmp_path / "campaign.toml").write_text('catalog = "hf://datasets/shop/table/products.txt"')
    planned = ask("curator", "plan", tmp_path / "campaign.toml", "--json", GEMINI_API_KEYS="key-1")
    assert checked(planned)["images"] == 10
    words = ("--catalog", "hf://datasets/shop/table", "--ledger", tmp_path / "l.db", "--watch")
    watched = ask("curator", "run", *words)
    assert watched.returncode == 2
    assert "--watch looks at files on this machine" in watched.stderr


def test_predictions_and_training_data_of_the_hub_are_scored(ask, repositories):
    pairs = read_pairs(repositories / "shop" / "ours")
    lines = ["filename,question,answer,prediction"]
    lines += [f"{p.filename},{p.question},{p.answer},x" for p in pairs if p.split == "test"]
    (repositories / "shop" / "table" / "predictions.csv").write_text("\n".join(lines))
    words = ["hf://datasets/shop/table/predictions.csv", "--train", "hf://datasets/shop/ours"]
    scored = checked(ask("evaluator", "score", *words, "--metrics", "exact_match", "--json"))
    assert scored["provenance"]["prior_from"] == "ours"
    assert scored["provenance"]["predictions"] == "predictions.csv"


@pytest.mark.slow
def test_an_adapter_is_fitted_to_a_data_set_of_the_hub(ask, tiny_model, tmp_path):
    settings = fit_settings(tiny_model, tmp_path, data="hf://datasets/shop/shards", epochs=1)
    del settings["images"]
    fitted = ask("trainer", "fit", write_recipe(tmp_path / "recipe.toml", settings))
    assert fitted.returncode == 0, fitted.stderr
    assert "held-out exact match" in fitted.stdout


REFUSED = {
    "hf://datasets/shop/none": "the hub has no such data set or revision",
    "hf://datasets/shop/ours@other": "the hub has no such data set or revision",
    "hf://datasets/shop/ours/none": "the data set has no such file or folder",
    "hf://datasets/shop/ours/none.csv": "the data set has no such file or folder",
    "hf://datasets/shop/choice": "has several data sets (de, en, ...); give one, such as",
    "hf://datasets/shop/table/pictures": "one file of rows was expected there",
    "hf://datasets/shop": "write hf://datasets/OWNER/NAME",
    "hf://shop/model": "write hf://datasets/OWNER/NAME",
    "hf://datasets/shop/ours?token=secret": "credentials in a URL",
}


def test_what_cannot_be_had_is_one_line(ask):
    refused = ask("evaluator", "check", next(iter(REFUSED)))
    assert refused.returncode == 2, refused.stderr
    [line] = refused.stderr.strip().splitlines()
    assert next(iter(REFUSED.values())) in line
    told = ask("tests.hub_refusals", *REFUSED)
    lines = told.stdout.strip().splitlines()
    assert told.stderr == ""
    for line, reason in zip(lines, REFUSED.values(), strict=True):
        assert reason in line
        assert "secret" not in line


@pytest.mark.parametrize("name", ["ours", "ours/qa.parquet"])
def test_a_machine_without_a_network_says_so_in_one_line(name, ask):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for variables in ({"HF_ENDPOINT": nobody}, {"HF_HUB_OFFLINE": "1"}):
        refused = ask("evaluator", "check", f"hf://datasets/shop/{name}", **variables)
        assert refused.returncode == 2, refused.stderr
        [line] = refused.stderr.strip().splitlines()
        assert "the hub cannot be reached" in line


@pytest.mark.slow
def test_a_hub_that_says_nothing_is_given_up(ask):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"http://127.0.0.1:{silent.getsockname()[1]}"
        told = ask(
            *("tests.hub_refusals", "hf://datasets/shop/ours"),
            HF_ENDPOINT=nobody,
            HF_HUB_ETAG_TIMEOUT="1",
        )
    assert "the hub cannot be reached (timed out)" in told.stdout


def test_half_a_data_set_in_the_cache_is_not_taken_for_all(ask, repositories):
    assert ask("evaluator", "check", "hf://datasets/shop/shards").returncode == 0
    for link in (repositories.parent / "hf").rglob("snapshots/*/data/test-*.parquet"):
        link.unlink()
    refused = ask("evaluator", "check", "hf://datasets/shop/shards", HF_HUB_OFFLINE="1")
    assert refused.returncode == 2
    assert "the hub cannot be reached" in refused.stderr.strip().splitlines()[-1]


def test_no_program_imports_the_hub_to_start():
    for program in ("evaluator", "trainer", "curator"):
        code = f"import sys, {program}.__main__; print('huggingface_hub' in sys.modules)"
        started = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert started.stdout.strip() == "False"
