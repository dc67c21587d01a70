"""What is written can be read by whoever may read its neighbours, whatever wrote it."""

from __future__ import annotations

import ast
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from curator.ledger import migrate
from shared.corpus import write_pairs
from shared.dataset.folder import write_dataset
from shared.files.atomic import atomic_path, atomic_private_path, new_folder
from shared.records import QAPair

PROJECT = Path(__file__).parents[3]
PAIRS = [QAPair(f"id{n}", "What is it?", "red", f"{n}.jpg", split="train") for n in range(3)]


@pytest.fixture(params=[0o022, 0o027], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def modes(folder: Path, umask: int) -> dict[str, bool]:
    """Return for everything below ``folder`` whether a plain program would have left it so."""
    plain = {True: 0o777 & ~umask, False: 0o666 & ~umask}
    return {
        str(path.relative_to(folder)): mode(path) == plain[path.is_dir()]
        for path in folder.rglob("*")
    }


def test_a_file_and_a_data_set_folder_have_the_mode_of_their_neighbours(tmp_path, umask):
    for name in ("qa.csv", "qa.jsonl", "qa.parquet"):
        write_pairs(iter(PAIRS), tmp_path / "new" / name)
    for _ in range(2):
        write_dataset(iter(PAIRS), tmp_path / "set", source={}, split_rule={})
    fitting = modes(tmp_path, umask)
    assert {"new/qa.csv", "set", "set/manifest.json", "set/data/train.parquet"} <= set(fitting)
    assert [name for name, fits in fitting.items() if not fits] == []


def test_a_ledger_and_its_copy_do_too(tmp_path, umask):
    path = tmp_path / "l.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            (PROJECT / "tests/curator/ledger/database/ledger_0001.sql").read_text()
        )
    migrate(path)
    migrate(tmp_path / "fresh.db")
    fitting = modes(tmp_path, umask)
    assert {"l.db", "l.db.0001.backup", "fresh.db"} <= set(fitting)
    assert [name for name, fits in fitting.items() if not fits] == []


def test_what_a_library_keeps_to_itself_is_opened(tmp_path, umask):
    with new_folder(tmp_path / "adapter") as folder:
        (folder / "deep").mkdir()
        for name in ("weights", "deep/weights"):
            (folder / name).write_text("numbers")
            (folder / name).chmod(0o600)
    assert set(modes(tmp_path, umask).values()) == {True}


def test_keys_are_for_their_owner_alone_and_nothing_stays_of_a_failure(tmp_path, umask):
    with atomic_private_path(tmp_path / "keys.toml") as part:
        assert mode(part) == 0o600
        part.write_text("[[key]]")
    assert mode(tmp_path / "keys.toml") == 0o600
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "other") as part:
        part.write_text(str(1 / 0))
    assert [path.name for path in tmp_path.iterdir()] == ["keys.toml"]


def test_no_other_module_makes_files_that_are_for_their_owner_alone():
    makers = {"mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryFile"}
    uses = [
        f"{path.relative_to(PROJECT)}: {node.attr}"
        for part in ("curator", "evaluator", "shared", "trainer")
        for path in (PROJECT / part).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in makers
    ]
    assert uses == []
