"""The documents point to files that exist, and say what other files say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "findings/README.md"])
OURS = r"(?:curator|trainer|evaluator|shared|tests|docs|findings)"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text)
    paths = re.findall(rf"`({OURS}/[\w/.-]+\.\w+)`", text)
    assert [link for link in links if not (document.parent / link).exists()] == []
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


def test_every_document_stands_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"\]\(((?:guides/|notebooks/)?[\w.-]+\.(?:md|ipynb))\)", index))
    pages = [
        path for kind in ("*.md", "guides/*.md", "*/*.ipynb") for path in ROOT.glob(f"docs/{kind}")
    ]
    assert listed == {str(path.relative_to(ROOT / "docs")) for path in pages} - {"index.md"}


def test_every_finding_stands_in_the_table_and_has_its_form() -> None:
    table = (ROOT / "findings/README.md").read_text(encoding="utf-8")
    scripts = sorted(ROOT.glob("findings/*.sh"))
    assert set(re.findall(r"^\| `([\w.-]+\.sh)`", table, re.MULTILINE)) == {
        script.name for script in scripts
    }
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        head = text.partition("\nset -euo pipefail\n")[0]
        assert all(word in head for word in ("# Expected: ", "# Seen: ", "# Fails if ")), script
        assert "folder=$(mktemp -d)" in text, script
        assert "==" in text, f"{script}: pins no package"
        assert not re.search(rf"^\s*(from|import) {OURS}\b", text, re.MULTILINE), script


def test_the_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert f"\n## {project['version']} " in changelog


def test_the_hooks_run_what_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")
    tools = set(re.findall(r"\$\(BIN\)/([\w-]+)", lint[0]))
    assert {entry.removeprefix(".venv/bin/").split()[0] for entry in entries} == tools


def test_the_workflow_and_the_forms_parse() -> None:
    files = sorted((ROOT / ".github").rglob("*.yml"))
    assert files
    parsed = {file.name: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    jobs = parsed["check.yml"]["jobs"]
    last = {job["steps"][-1]["run"] for job in jobs.values()}
    assert {".ci/run", "make audit", "make test"} < last
    [in_windows] = [words.split() for words in last if "pytest" in words]
    assert all((ROOT / word).exists() for word in in_windows if word.startswith("tests/"))
    assert (ROOT / ".ci/run").exists()
