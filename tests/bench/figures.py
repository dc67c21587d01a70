"""What benchmarks showed, kept section by section: ``docs/figures.json``, and the page made of it.

Each section has its last record and the one before, with date, commit, machine and versions; a
section that was not run has none.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from shared.program.versions import installed_versions
from tests.bench.bounds import BOUNDS, SEEN
from tests.bench.builds import ROOT
from tests.bench.measure import Comparison, Taken, Target

KEPT: Final = ROOT / "docs" / "figures.json"
PAGE: Final = ROOT / "docs" / "figures.md"
RECORDS: Final = 2
COLUMNS: Final = (
    *("what", "unit", "reference", "ours", "ratio", "ceiling", "bound by"),
    *("on disk, MB", "start, s", "p50, ms", "p95, ms", "CPU, ms"),
    *("CPU s", "peak MiB", "joules a question", "same answers"),
)
PACKAGES: Final = (
    *("abo-vqa", "typer", "aiohttp", "sqlalchemy", "pyarrow", "numpy", "pillow"),
    *("torch", "transformers", "peft", "bitsandbytes", "ray", "onnxruntime"),
)
_INTRODUCTION: Final = """# Figures

What `make bench` measured last, section by section, and the time before;
`make bench SECTIONS="start commands"` runs some. Each section says when, at which commit and on
which machine; figures of two machines do not compare. *Ratio* is ours against the reference in the
same run, taking turns: above 1 ours is faster. *Ceiling* is what the parts that nobody can do
without allow, and how much of it is reached. The same is in [figures.json](figures.json). This page
is written by `python -m tests.bench --page`.
"""


def record(rows: Iterable[Comparison | Taken | Target]) -> dict[str, Any]:
    """Return what is kept of a section that was just run."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": _machine(),
        "versions": _versions(),
        "rows": [row.plain() for row in rows],
    }


def _versions() -> dict[str, str]:
    """Return the versions of what was measured; abo-vqa's is that of these sources."""
    sources = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "python": platform.python_version(),
        **installed_versions(PACKAGES),
        "abo-vqa": sources["version"],
    }


def keep(section: str, entry: Mapping[str, Any], file: Path = KEPT) -> dict[str, Any]:
    """Put a record first among those of its section, drop what is too old, and return all."""
    kept = kept_figures(file)
    kept[section] = [entry, *kept.get(section, [])][:RECORDS]
    file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return kept


def kept_figures(file: Path = KEPT) -> dict[str, Any]:
    """Return the records of each section, the last first."""
    if not file.is_file():
        return {}
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return kept


def page(kept: Mapping[str, Sequence[Mapping[str, Any]]], sections: Mapping[str, str]) -> str:
    """Return the page; ``sections`` has in a line what each measures."""
    parts = [_INTRODUCTION]
    for name, about in sections.items():
        parts.append(f"\n## {name}\n\n{about}\n")
        records = kept.get(name, [])
        if not records:
            parts.append("\nNot run at this commit.\n")
            continue
        parts.append(f"\n{_told(records[0])}\n\n{_table(records)}")
        if name in BOUNDS:
            parts.append(f"\nBounded by {BOUNDS[name]} (seen on {SEEN})\n")
    return "".join(parts)


def _told(entry: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    return f"{entry['date']}, commit {entry['commit']}, {entry['machine']}; {versions}."


def _table(records: Sequence[Mapping[str, Any]]) -> str:
    rows = records[0]["rows"]
    before = {row["what"]: row for row in records[1]["rows"]} if len(records) > 1 else {}
    columns = [name for name in COLUMNS if any(row.get(name) for row in rows)]
    compared = "ratio" if "ratio" in columns else "CPU s"
    heads = [*columns, *([f"{compared} before ({records[1]['commit']})"] if before else [])]
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1)]
    for row in rows:
        cells = [str(row.get(name, "")) for name in columns]
        if before:
            cells.append(str(before.get(row["what"], {}).get(compared, "")))
        lines.append(cells)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _commit() -> str:
    def git(*words: str) -> str:
        told = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return told.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", ":!docs/figures.*")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _machine() -> str:
    cpu = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        cpu = names[0] if names else cpu
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {cpu}, {gib:.0f} GiB, {platform.system()}"
