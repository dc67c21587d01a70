"""Follows a guide word for word: its files are written, its commands typed, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
AT_HAND = Path(__file__).with_name("at_hand.py")
PROGRAMS = ("curator", "trainer", "evaluator", "pip", "python3", "ray", "kubectl")
_FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def script_of(guide: str) -> str:
    """Return a guide as a script of bash: its titled blocks as files, those of ``sh`` as typed."""
    lines = ["set -emo pipefail"]
    for kind, title, text in _FENCE.findall(guide):
        if title:
            lines.append(f"cat > {title} <<'END_OF_FILE'\n{text}END_OF_FILE")
        elif kind == "sh":
            lines += [f"echo {line!r} >&2" for line in text.splitlines()[:1]]
            lines.append(text)
    return "\n".join(lines)


def follow(
    name: str, folder: Path, replaced: Mapping[str, str], environment: Mapping[str, str]
) -> str:
    """Follow ``docs/guides/NAME.md`` in ``folder``; return what was said.

    ``replaced`` says what stands for what a machine without a network cannot have.
    """
    for at_top in ("pyproject.toml", "constraints.txt", "ray_cluster.yaml", "evaluator", "docs"):
        (folder / at_top).symlink_to(ROOT / at_top)
    typed = folder / "typed"
    typed.mkdir()
    for program in PROGRAMS:
        path = typed / program
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{AT_HAND}" {program} "$@"\n')
        path.chmod(0o755)
    text = script_of((ROOT / f"docs/guides/{name}.md").read_text(encoding="utf-8"))
    for word, other in replaced.items():
        assert word in text, word
        text = text.replace(word, other)
    ended = subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env={
            **os.environ,
            **environment,
            "PATH": f"{typed}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=840,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:]
    return ended.stdout
