"""What a finished run leaves for the commands that come after it."""

from pathlib import Path

from shared.corpus import read_json
from trainer.fitting.record import RunRecord, finished_run, write_record


def record(base: str) -> RunRecord:
    return RunRecord("", base, "1", "nf4", "zero", "images", 1, 0.0, 1.0, 1)


def test_a_base_in_a_folder_is_found_by_those_who_are_elsewhere(tmp_path, monkeypatch):
    for name in ("adapter", "tiny", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "tiny" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    write_record(record("tiny"), Path("adapter"))
    assert finished_run(Path("adapter")) == record("tiny")
    monkeypatch.chdir("elsewhere")
    assert finished_run(Path("../adapter")) == record(str(tmp_path / "tiny"))


def test_a_base_of_a_hub_or_of_the_package_has_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blip-vqa-tiny").mkdir()
    for base in ("owner/name", "blip-vqa-tiny"):
        write_record(record(base), tmp_path)
        assert "base_folder" not in read_json(tmp_path / "run.json")
        assert finished_run(tmp_path) == record(base)
