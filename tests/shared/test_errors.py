"""What is raised on purpose is one line in a notebook, as on a terminal."""

import pytest

from shared.errors import InputError, StoppedForNow

Config = pytest.importorskip("traitlets.config", reason="extra docs").Config
interactiveshell = pytest.importorskip("IPython.core.interactiveshell", reason="extra docs")


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config({"HistoryManager": {"enabled": False}})
    return interactiveshell.InteractiveShell(config=config)


@pytest.mark.parametrize("kind", [InputError, StoppedForNow])
def test_a_notebook_shows_the_line_alone(shell, kind, capsys):
    shell.user_ns["error"] = kind("data: no such file")
    shell.run_cell("def deep():\n    raise error\ndeep()")
    said = capsys.readouterr().out
    assert said.strip() == f"{kind.__name__}: data: no such file"
