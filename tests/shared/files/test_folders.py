"""A folder is written whole or not at all, and what a killed process left is removed."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.files.atomic import (
    new_folder,
    refilled_folder,
    replaced_folder,
    settle_folder,
    whole_folder,
)

KINDS = {
    "new": new_folder,
    "replaced": replaced_folder,
    "refilled": lambda target: refilled_folder(target, last="end"),
}
SAVING = """
import sys
from pathlib import Path
from shared.files.atomic import replaced_folder
with replaced_folder(Path(sys.argv[1])) as part:
    (part / "half").write_text("written")
    print("saving", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=list(KINDS))
def kind(request):
    return KINDS[request.param]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_it_is_there_once_the_block_is_done(tmp_path, kind):
    with kind(tmp_path / "deep" / "out") as part:
        (part / "end").write_text("done")
        assert not (tmp_path / "deep" / "out").exists()
    assert names(tmp_path) == ["deep", "deep/out", "deep/out/end"]


def test_nothing_of_a_failure_stays(tmp_path, kind):
    with pytest.raises(ZeroDivisionError), kind(tmp_path / "out") as part:
        (part / "end").write_text(str(1 / 0))
    assert names(tmp_path) == []


def test_a_new_folder_refuses_one_that_is_there(tmp_path):
    with pytest.raises(InputError, match="is there already"), new_folder(tmp_path):
        pass


def test_a_new_folder_that_another_made_meanwhile_stays_and_is_told_of(tmp_path):
    def fill() -> None:
        with new_folder(tmp_path / "out") as part:
            (part / "end").touch()
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "theirs").touch()

    with pytest.raises(InputError, match="out: cannot be written"):
        fill()
    assert names(tmp_path) == ["out", "out/theirs"]


@pytest.mark.parametrize("kind", [KINDS["replaced"], KINDS["refilled"]])
def test_a_file_in_the_way_is_bad_input(tmp_path, kind):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="is a file; give a folder"), kind(tmp_path / "out"):
        pass


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path, kind):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"), kind(tmp_path / "file" / "out"):
        pass


def test_an_older_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("first", "second"):
        with replaced_folder(tmp_path / "out") as part:
            (part / name).write_text(name)
    assert names(tmp_path) == ["out", "out/second"]


def test_between_the_two_renames_the_older_folder_is_still_found_and_then_replaced(tmp_path):
    target = tmp_path / "out"
    assert whole_folder(target) is None
    with replaced_folder(target) as part:
        (part / "old").touch()
    target.rename(tmp_path / ".out.old")
    assert names(whole_folder(target)) == ["old"]
    with replaced_folder(target) as part:
        (part / "new").touch()
        assert names(whole_folder(target)) == ["old"]
    assert whole_folder(target) == target
    assert names(tmp_path) == ["out", "out/new"]


def test_files_are_put_into_a_folder_that_keeps_the_rest(tmp_path):
    target = tmp_path / "out"
    for name in ("mine", "stale", "end", "data/same"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("old")
    with refilled_folder(target, last="end", stale=["stale", "never"]) as part:
        for name in ("end", "data/same", "data/more"):
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_text("new")
        assert names(target) == ["data", "data/same", "end", "mine", "stale"]
    files = {name: (target / name).read_text() for name in names(target) if name != "data"}
    assert files == {"mine": "old", "end": "new", "data/same": "new", "data/more": "new"}


def test_a_folder_that_could_not_be_filled_lacks_the_file_that_comes_last(tmp_path):
    (tmp_path / "end").write_text("old")
    (tmp_path / "data").write_text("a file in the way")

    def refill() -> None:
        with refilled_folder(tmp_path, last="end") as part:
            (part / "data").mkdir()
            for name in ("end", "data/row"):
                (part / name).touch()

    with pytest.raises(FileExistsError):
        refill()
    assert not (tmp_path / "end").exists()


def test_the_folder_of_the_shell_can_be_refilled(tmp_path):
    (tmp_path / "here").mkdir()
    with chdir(tmp_path / "here"), refilled_folder(Path(), last="end") as part:
        (part / "end").touch()
    assert names(tmp_path) == ["here", "here/end"]


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path, kind):
    command = [sys.executable, "-c", SAVING, str(tmp_path / "out")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "saving\n"
        left = [name for name in names(tmp_path) if name.endswith("half")]
        assert len(left) == 1
        with pytest.raises(ZeroDivisionError), kind(tmp_path / "out"):
            raise ZeroDivisionError
        assert [name for name in names(tmp_path) if name.endswith("half")] == left
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [name for name in names(tmp_path) if name.endswith("half")] == left
    with kind(tmp_path / "out") as part:
        (part / "end").touch()
    assert names(tmp_path) == ["out", "out/end"]


@pytest.mark.parametrize("target_is_there", [True, False])
def test_a_change_that_a_kill_broke_into_is_settled(tmp_path, target_is_there):
    target, old = tmp_path / "out", tmp_path / ".out.old"
    old.mkdir()
    (old / "file").write_text("old")
    if target_is_there:
        target.mkdir()
        (target / "file").write_text("new")
    for _ in range(2):
        settle_folder(target)
        assert names(tmp_path) == ["out", "out/file"]
        assert (target / "file").read_text() == ("new" if target_is_there else "old")


def test_where_no_folder_is_nothing_is_settled(tmp_path):
    settle_folder(tmp_path / "out")
    assert names(tmp_path) == []
