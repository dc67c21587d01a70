"""A program stopped while it still imports says so in one line; others keep their signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CODE = (
    "import os, sys; sys.argv = [{!r}]; import shared; os.kill(os.getpid(), {}); print('went on')"
)


def ended(started: str, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    code = CODE.format(started, int(number))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("started", ["/opt/bin/curator", "/src/curator/__main__.py"])
def test_a_signal_before_the_command_line_is_read_ends_with_a_line_and_75(started, number):
    stopped = ended(started, number)
    assert (stopped.returncode, stopped.stdout) == (75, "")
    assert stopped.stderr == "curator: stopped before it began anything\n"


def test_what_a_program_spawned_keeps_its_signals(tmp_path):
    script = tmp_path / "curator.py"
    script.write_text(
        "import multiprocessing, shared, signal\n"
        "def told(): print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
        "if __name__ == '__main__':\n"
        "    child = multiprocessing.get_context('spawn').Process(target=told)\n"
        "    child.start(); child.join()\n",
        encoding="utf-8",
    )
    ran = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr


def test_who_imports_the_library_keeps_the_signals():
    stopped = ended("/home/ada/notebook.py", signal.SIGINT)
    assert stopped.returncode not in {0, 75}
    assert "KeyboardInterrupt" in stopped.stderr
