"""Exit codes of every program, and one line on standard error."""

import os
import subprocess
import sys
from enum import StrEnum
from importlib import import_module

import pytest
import typer

from shared.errors import AboVqaError, AdapterNotApplied, CorruptImage, InputError, StoppedForNow
from shared.program.cli import run_program


def leave_with(failure: BaseException | None, arguments=(), result: object = None) -> int:
    app = typer.Typer()

    @app.command()
    def work(count: int = 1) -> object:
        if failure is not None:
            raise failure
        return result

    with pytest.raises(SystemExit) as leaving:
        run_program(app, "program", arguments)
    return leaving.value.code


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (AboVqaError("it broke"), 1),
        (AdapterNotApplied("it broke"), 2),
        (InputError("it\nbroke"), 2),
        (CorruptImage("it broke"), 2),
        (StoppedForNow("it broke"), 75),
    ],
)
def test_an_error_of_ours_is_one_line_and_its_exit_code(failure, code, capsys):
    assert leave_with(failure) == code
    captured = capsys.readouterr()
    assert captured.err == "program: it broke\n"
    assert captured.out == ""


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), typer.Abort()])
def test_an_interrupt_means_stopped_for_now(failure, capsys):
    assert leave_with(failure) == 75
    assert "run the same command again" in capsys.readouterr().err


def test_done_is_0_and_a_command_may_say_another_code():
    assert leave_with(None) == 0
    assert leave_with(None, result="text") == 0
    assert leave_with(None, result=75) == 75
    assert leave_with(typer.Exit(3)) == 3


@pytest.mark.parametrize("arguments", [["--count", "many"], ["--nope"], ["extra"]])
def test_wrong_usage_is_2_with_a_way_out(arguments, capsys):
    assert leave_with(None, arguments) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("program: ")
    assert captured.endswith("; see --help\n")
    assert captured.count("\n") == 1


@pytest.mark.parametrize("arguments", [["caf\udce9"], ["--count", "\udcff"], ["--a=\udcff"]])
def test_a_name_that_is_not_utf_8_is_one_line(arguments, capfd):
    assert leave_with(None, arguments) == 2
    captured = capfd.readouterr().err
    assert "is not UTF-8; rename it" in captured
    assert captured.count("\n") == 1


def test_a_bug_keeps_its_traceback():
    app = typer.Typer()

    @app.command()
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_program(app, "program", [])


def test_an_interrupt_while_text_is_run_as_code_means_stopped_for_now_too(tmp_path):
    # As where dataclasses are imported: CPython would end such a process as if by SIGINT.
    (tmp_path / "program.py").write_text(
        "import typer\n"
        "from shared.program.cli import run_program\n"
        "app = typer.Typer()\n"
        "@app.command()\n"
        "def work():\n"
        "    exec('raise KeyboardInterrupt')\n"
        "run_program(app, 'program')\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    ran = subprocess.run(
        [sys.executable, "-m", "program"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 75, ran.stderr
    assert "run the same command again" in ran.stderr


def test_nothing_typed_shows_the_help_and_a_near_choice_is_named(capsys):
    class Answer(StrEnum):
        STOP = "stop"
        WAIT = "wait"

    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

    @app.command()
    def ask(answer: Answer) -> None: ...

    @app.callback()
    def both() -> None: ...

    for words, start, end in (
        ([], "Usage: taster [OPTIONS] COMMAND", ""),
        (["ask", "wiat"], "taster: Invalid value", "did you mean 'wait'?; see --help\n"),
        (["ask", "no"], "taster: Invalid value", "one of 'stop', 'wait'; see --help\n"),
    ):
        with pytest.raises(SystemExit) as ended:
            run_program(app, "taster", words)
        told = capsys.readouterr().err
        assert ended.value.code == 2
        assert told.startswith(start)
        assert told.endswith(end)


@pytest.mark.parametrize("program", ["curator", "evaluator", "trainer"])
def test_h_is_help(program, capsys):
    app = import_module(f"{program}.__main__").app
    for words in (["-h"], [next(iter(import_module(f"{program}.__main__").COMMANDS)), "-h"]):
        with pytest.raises(SystemExit) as ended:
            run_program(app, program, words)
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"Usage: {program}")


def test_what_is_installed_beside_sees_no_settings(tmp_path):
    info = tmp_path / "beside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: beside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pydantic]\nbeside = beside:plugin\n")
    (tmp_path / "beside.py").write_text("print('it looks at settings')\nplugin = object()\n")
    script = """
import sys, typer
from shared.program.cli import run_program
from shared.program.settings import Settings
class Table(Settings):
    name: str
app = typer.Typer()
app.command()(lambda: print(Table(name="read").name))
run_program(app, "program", [])
"""
    environment = {k: v for k, v in os.environ.items() if k != "PYDANTIC_DISABLE_PLUGINS"}
    path = os.pathsep.join([str(tmp_path), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "read\n", ran.stderr
