"""Each part runs with its own extra only, declares what it imports, and ships all its files."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("curator", "evaluator", "shared", "trainer")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

MODEL = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers", "safetensors")
CURATION = ("sqlalchemy", "aiosqlite", "alembic")
EVALUATION = ("ray", "sentence_transformers", "bert_score", "rapidfuzz")

BESIDE = {
    None: ("hub",),
    "curator": ("openai", "google"),
    "evaluator": ("openai", "google"),
    "trainer": ("openvino", "litert"),
    "onnx": ("openvino", "litert"),
    "model": ("torchao",),
}
"""Extras that a part, or what all share, asks for by name where they are needed."""

ROOMS_WITH_AN_EXTRA = {"cluster", "endpoints", "onnx_vqa", "vqa", "web"}
ROOMS_OF_ALL = sorted(
    {file.parent.name for file in (ROOT / "shared").glob("*/__init__.py")} - ROOMS_WITH_AN_EXTRA
)

BLOCKED_RUN = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in BLOCKED):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

BLOCKED = {blocked!r}
sys.meta_path.insert(0, Absent())
for module in {modules!r}:
    importlib.import_module(module)
importlib.import_module({program!r} + ".__main__").main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "modules", "blocked"),
    [
        (
            "curator",
            ("curator.campaign.run", "curator.pairs.export"),
            (*MODEL, *EVALUATION, "google"),
        ),
        (
            "trainer",
            ("trainer.fitting.fit", "trainer.pretraining.pretrain"),
            (*CURATION, *EVALUATION, "aiohttp"),
        ),
        ("evaluator", ("evaluator.runs.wiring", "evaluator.runs.predicting.predict"), CURATION),
    ],
)
def test_a_part_runs_without_the_extras_of_the_others(
    program: str, modules: tuple[str, ...], blocked: tuple[str, ...]
) -> None:
    """All its modules' imports and ``--help`` work where the other extras are not installed."""
    code = BLOCKED_RUN.format(program=program, modules=modules, blocked=blocked)
    ran = run_python(code, "--help", cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert f"Usage: {program}" in ran.stdout


def test_a_part_fails_where_its_own_extra_is_missing() -> None:
    """The test above can fail: the block is a block."""
    code = BLOCKED_RUN.format(
        program="curator", modules=("shared.endpoints.protocols.gemini",), blocked=("aiohttp",)
    )
    ran = run_python(code, "--help", cwd=ROOT)
    assert "No module named 'aiohttp'" in ran.stderr


@pytest.mark.parametrize(
    ("extra", "modules"),
    [
        (None, "shared/*.py"),
        *((None, f"shared/{room}/**/*.py") for room in ROOMS_OF_ALL),
        ("model", "shared/vqa/**/*.py"),
        ("curator", "shared/web/*.py"),
        ("evaluator", "shared/web/*.py"),
        ("curator", "shared/endpoints/**/*.py"),
        ("evaluator", "shared/endpoints/**/*.py"),
        ("curator", "curator/**/*.py"),
        ("trainer", "trainer/**/*.py"),
        ("sweep", "trainer/sweep/*.py"),
        ("sweep", "shared/cluster/*.py"),
        ("evaluator", "shared/cluster/*.py"),
        ("evaluator", "evaluator/**/*.py"),
        ("demo", "shared/demo.py"),
        ("onnx", "shared/onnx_vqa/*.py"),
    ],
)
def test_what_is_imported_is_declared(extra: str | None, modules: str) -> None:
    """No part leans on what another package happens to bring along."""
    files = set(ROOT.glob(modules)) - ({ROOT / "shared/demo.py"} if extra != "demo" else set())
    files -= set(ROOT.glob("trainer/sweep/*.py")) if extra != "sweep" else set()
    # Run by the Python of an environment of its own.
    files.discard(ROOT / "trainer/export/litert/converter.py")
    assert files
    declared = _requirements(extra)
    for beside in BESIDE.get(extra, ()):
        declared |= _requirements(beside)
    providers = packages_distributions()
    undeclared = {
        f"{module} in {file.relative_to(ROOT)}"
        for file in files
        for module in _imported(file)
        if module not in sys.stdlib_module_names and module not in PACKAGES
        if declared.isdisjoint(_normal(name) for name in providers.get(module, [module]))
    }
    assert not undeclared


def test_constraints_pin_every_requirement_and_suit_any_build_of_torch() -> None:
    """One exact version each; no local build, file or CUDA package that others cannot get."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    pinned = {_normal(line.partition("==")[0]) for line in lines}
    assert len(pinned) == len(lines)
    assert not any(name.startswith(("nvidia", "triton", "cuda")) for name in pinned)
    assert _requirements("all") - {"setuptools"} <= pinned


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    """Templates, styles, scripts, migrations, recipes and the small model are in it; tests not."""
    tree = tmp_path / "tree"
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    code = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    built = run_python(code, str(tmp_path), cwd=tree)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert held == wanted


def run_python(code: str, argument: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, argument], check=False, cwd=cwd, capture_output=True, text=True
    )


def _requirements(extra: str | None) -> set[str]:
    """Names of the distributions that an extra and the base declare, through nested extras."""
    names: set[str] = set()
    queue = list(PROJECT["dependencies"])
    if extra is not None:
        queue += PROJECT["optional-dependencies"][extra]
    while queue:
        requirement = queue.pop()
        name, *parts = re.findall(r"[\w.-]+", requirement.partition(">")[0])
        if name == PROJECT["name"]:
            for part in parts:
                queue += PROJECT["optional-dependencies"][part]
        else:
            names.add(_normal(name))
    return names


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found
