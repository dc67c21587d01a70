"""Names stay, places go."""

from pathlib import Path

import pytest

from shared.vqa.names.embedded import EMBEDDED_MODEL, EMBEDDED_MODEL_DIR
from shared.vqa.names.public_name import public_name


@pytest.mark.parametrize("name", [EMBEDDED_MODEL, "Salesforce/blip-vqa-base", "bert-base"])
def test_names_stay_as_they_are(name):
    assert public_name(name) == name


@pytest.mark.parametrize("suffix", ["", "/", "/../base"])
def test_a_folder_goes_by_its_own_name(tmp_path, suffix):
    (tmp_path / "base").mkdir()
    assert public_name(f"{tmp_path}/base{suffix}") == "base"


def test_a_folder_that_is_not_there_any_more_does_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("owner/base").mkdir(parents=True)
    assert public_name("owner/base") == "base"
    assert public_name("/home/somebody/models/base") == "base"
    assert public_name("~/models/base") == "base"
    assert public_name("../base") == "base"


def test_what_lies_in_the_hubs_cache_goes_by_its_id(tmp_path):
    folder = tmp_path / "models--Salesforce--blip-vqa-base" / "snapshots" / "787b3d35"
    folder.mkdir(parents=True)
    assert public_name(str(folder)) == "Salesforce/blip-vqa-base"


def test_the_shipped_models_folder_says_which_it_is():
    assert public_name(str(EMBEDDED_MODEL_DIR)) == EMBEDDED_MODEL_DIR.name
