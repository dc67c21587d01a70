"""What all three programs have: a version, completion in the shell, and help that comes at once."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import curator.__main__
import evaluator.__main__
import trainer.__main__
from shared.program.command_line.application import Command

PROGRAMS = ("curator", "evaluator", "trainer")
SLOW = {
    *("PIL", "aiohttp", "asyncio", "numpy", "pandas", "pyarrow", "pydantic", "ray", "rich"),
    *("scipy", "sqlalchemy", "structlog", "torch", "transformers"),
}
IMPORTED = """
import runpy, sys
program = sys.argv[1]
sys.argv = [program, *sys.argv[2:]]
try:
    runpy.run_module(program, run_name="__main__", alter_sys=True)
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""

LOADED = """
import sys
from importlib import import_module
for command in import_module(sys.argv[1] + ".__main__").COMMANDS.values():
    command.load()
print(*sorted(sys.modules))
"""


def ran(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
        timeout=60,
    )


def completed(program: str, typed: str) -> list[str]:
    """What bash would offer after ``typed``."""
    ended = ran(
        "-m", program, **{
            f"_{program.upper()}_COMPLETE": "complete_bash",
            "COMP_WORDS": f"{program} {typed}",
            "COMP_CWORD": str(len(f"{program} {typed}".split(" ")) - 1),
        }
    )  # fmt: skip
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_version_is_that_of_the_installed_package(program: str) -> None:
    ended = ran("-m", program, "--version")
    assert (ended.returncode, ended.stdout) == (0, f"{program} {version('abo-vqa')}\n")


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_the_version_import_nothing_slow(program: str) -> None:
    for option in ("--help", "--version"):
        ended = ran("-c", IMPORTED, program, option)
        assert program in ended.stdout
        assert SLOW & set(ended.stderr.split()) == set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_command_says_of_itself_needs_nothing_slow(program: str) -> None:
    """Its module has its options; what does the work is imported when it is done."""
    ended = ran("-c", LOADED, program)
    assert ended.returncode == 0, ended.stderr
    # The checks of keys need what waits.
    assert (SLOW - {"asyncio"}) & set(ended.stdout.split()) == set()


@pytest.mark.parametrize(
    "typed",
    [
        "trainer recipe",
        "trainer recipe pretrain",
        "trainer fit no-recipe.toml",
        "trainer sweep no-recipe.toml",
        "trainer pretrain no-recipe.toml",
        "trainer merge no-run --out merged",
        "trainer fuse no-run no-other --out fused",
        "trainer export --model ./no-model --out exported",
        "evaluator predict --model ./no-model --image a.png --question What?",
        "evaluator serve --model ./no-model",
        "evaluator run --data d.csv --model ./no-model --out run",
        "evaluator run --data d.csv --adapter no-adapter --out run",
    ],
)
def test_what_needs_no_torch_starts_without_it(typed: str) -> None:
    program, *words = typed.split()
    ended = ran("-c", IMPORTED, program, *words)
    assert ended.returncode == (0 if words[0] == "recipe" else 2)
    imported = ended.stderr.splitlines()[-1].split()
    assert "shared.program.cli" in imported
    assert {"torch", "transformers", "ray"} & set(imported) == set()


def test_scoring_a_file_imports_no_library_of_models(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("question,answer,prediction\nWhat is it?,a lamp,a lamp\n")
    typed = ("score", str(file), "--metrics", "exact_match", "--out", str(tmp_path / "run"))
    ended = ran("-c", IMPORTED, "evaluator", *typed)
    assert ended.returncode == 0, ended.stderr
    imported = set(ended.stderr.splitlines()[-1].split())
    assert "evaluator.runs.score_files" in imported
    assert {"torch", "transformers", "ray", "huggingface_hub", "pandas"} & imported == set()


@pytest.mark.parametrize(
    ("program", "commands"),
    [
        ("curator", {"repair", "reparse", "rehearse", "review"}),
        ("evaluator", {"report"}),
        ("trainer", {"recipe"}),
    ],
)
def test_the_shell_completes_commands(program: str, commands: set[str]) -> None:
    assert set(completed(program, "re")) == commands


def test_the_shell_completes_options_of_a_command() -> None:
    assert completed("curator", "run --retry") == ["--retry-dead", "--retry-keys"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_shell_is_told_how_to_complete(program: str) -> None:
    """The script names the installed program, however it was started."""
    ended = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m {program} --show-completion; exit $?"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert f"_{program.upper()}_COMPLETE=complete_bash" in ended.stdout
    assert ended.stdout.rstrip().endswith(f" {program}")


def install_completion(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m curator --install-completion; exit $?"],
        capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(home)},
    )  # fmt: skip


def test_completion_is_installed_in_the_home(tmp_path: Path) -> None:
    ended = install_completion(tmp_path)
    assert ended.returncode == 0, ended.stderr
    script = (tmp_path / ".bash_completions" / "curator.sh").read_text(encoding="utf-8")
    assert "_CURATOR_COMPLETE=complete_bash" in script


def test_a_home_that_cannot_be_written_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    home = tmp_path / "no folder"
    home.touch()
    ended = install_completion(home)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "--show-completion" in line


@pytest.mark.parametrize("program", [curator.__main__, evaluator.__main__, trainer.__main__])
def test_the_list_of_commands_says_what_each_says_itself(program: ModuleType) -> None:
    commands: Iterable[Command] = program.COMMANDS.values()
    documented = [inspect.getdoc(command.load()) or "" for command in commands]
    assert [text.partition("\n")[0] for text in documented] == [
        command.summary for command in commands
    ]
