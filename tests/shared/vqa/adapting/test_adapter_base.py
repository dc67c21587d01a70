"""The model that an adapter was trained on, where nobody names one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.vqa.adapting.adapter_base import model_or_base


def adapter(folder: Path, base: str | None) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def test_the_base_stands_in_for_a_model_that_is_not_named(tmp_path):
    tiny = adapter(tmp_path / "a", "blip-vqa-tiny")
    hub = adapter(tmp_path / "b", "Salesforce/blip-vqa-base")
    assert model_or_base("", [tiny]) == "blip-vqa-tiny"
    assert model_or_base("", [tiny, adapter(tmp_path / "c", "blip-vqa-tiny")]) == "blip-vqa-tiny"
    assert model_or_base("", [hub]) == "Salesforce/blip-vqa-base"
    assert model_or_base("blip-vqa-tiny", [hub]) == "blip-vqa-tiny"
    with pytest.raises(InputError, match="different bases"):
        model_or_base("", [tiny, hub])


def test_a_base_in_a_folder_is_found_from_anywhere_and_after_both_moved(tmp_path, monkeypatch):
    there = tmp_path / "there"
    there.mkdir()
    tiny = adapter(there / "a", "tiny")
    (there / "tiny").mkdir()
    (there / "tiny" / "config.json").write_text("{}")
    (tiny / "run.json").write_text(json.dumps({"base_folder": "../tiny"}))
    assert model_or_base("", [tiny]) == str(there / "tiny")
    moved = there.rename(tmp_path / "moved")
    monkeypatch.chdir(moved)
    assert model_or_base("", [Path("a")]) == "tiny"
    (moved / "tiny").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="trained on tiny, which is not found here"):
        model_or_base("", [Path("a")])


@pytest.mark.parametrize(
    ("base", "reason"), [("./gone", "trained on ./gone, which is not found here"), (None, "names")]
)
def test_a_base_that_cannot_be_found_asks_for_the_model(tmp_path, base, reason):
    with pytest.raises(InputError) as refused:
        model_or_base("", [adapter(tmp_path / "a", base)])
    assert "give --model" in str(refused.value)
    if base:
        assert reason in str(refused.value)


def test_what_was_exported_is_a_model_too(tmp_path):
    (tmp_path / "bundle.json").write_text("{}")
    assert model_or_base(str(tmp_path), []) == str(tmp_path)


def test_without_an_adapter_a_model_has_to_be_named(tmp_path):
    with pytest.raises(InputError, match="--model"):
        model_or_base("", [])
    with pytest.raises(InputError, match="no such adapter folder"):
        model_or_base("", [tmp_path / "none"])
