"""A torchvision that fits torch, and one of another build, whatever imports it first."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASKS_FOR_OPERATORS = """
import torch
if not hasattr(torch.ops.torchvision, "nms"):
    raise RuntimeError("operator torchvision::nms does not exist")
from torchvision import ops
"""
FAILS_OTHERWISE = 'raise RuntimeError("no such file: libcudart.so")'
PRINTED = """
import torchvision
import torch
from importlib.resources import files
print(hasattr(torch.ops.torchvision, "nms"), hasattr(torch.ops.torchvision, "qnms"))
print(files("torchvision").joinpath("ops.py").is_file())
"""


def imported(tmp_path, source, before):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(source)
    (tmp_path / "torchvision" / "ops.py").write_text("")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{before}{PRINTED}"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_operators_are_declared_where_torchvision_fails_over_them(tmp_path):
    ran = imported(tmp_path, ASKS_FOR_OPERATORS, "import evaluator")
    assert ran.stdout.split() == ["True", "True", "True"], ran.stderr


@pytest.mark.parametrize("part", ["trainer", "evaluator"])
def test_every_part_sees_to_it_before_anything_else(part):
    script = f"import sys, {part}; print(sys.meta_path[0].name)"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "torchvision", ran.stderr


def test_of_a_torchvision_that_fits_nothing_is_changed(tmp_path):
    ran = imported(tmp_path, "from torchvision import ops", "import shared")
    assert ran.stdout.split() == ["False", "False", "True"], ran.stderr


def test_another_failure_stays_as_it_is(tmp_path):
    ran = imported(tmp_path, FAILS_OTHERWISE, "import shared")
    assert "RuntimeError: no such file: libcudart.so" in ran.stderr


def test_one_that_another_finder_refuses_is_not_found(tmp_path):
    hidden = """
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Hidden())
import shared"""
    ran = imported(tmp_path, "", hidden)
    assert "No module named 'torchvision'" in ran.stderr
