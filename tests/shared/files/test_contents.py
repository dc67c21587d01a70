"""What a killed process left in a folder is no content of it."""

from shared.files.contents import remove_parts, written_names


def test_locks_and_what_is_half_written_do_not_count(tmp_path):
    assert written_names(tmp_path / "none") == set()
    for name in (".data.0a1b2c3d.part", ".log.jsonl.part.jsonl", ".log.part", "run.lock"):
        (tmp_path / name).touch()
    assert written_names(tmp_path) == set()
    for name in ("notes.part", ".part", ".hidden", "data.parts", "log.jsonl"):
        (tmp_path / name).touch()
    assert written_names(tmp_path) == {"notes.part", ".part", ".hidden", "data.parts", "log.jsonl"}


def test_half_written_files_go_and_others_stay(tmp_path):
    for name in (".log.jsonl.part.jsonl", ".log.0a1b2c3d.part.jsonl", "log.jsonl"):
        (tmp_path / name).touch()
    remove_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
