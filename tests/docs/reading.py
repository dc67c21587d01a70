"""Follows a guide word for word: its files are written, its commands typed, in an empty folder.

Other pages take a folder for granted that has what they speak of: their commands are typed there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from tests.docs.written import ROOT, commands, reason_not_to_type

AT_HAND = Path(__file__).with_name("at_hand.py")
PROGRAMS = ("curator", "trainer", "evaluator", "pip", "python", "python3", "ray", "kubectl")
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


def script_of_page(document: str) -> str:
    """Return what a page has typed, but for what is parsed and no more, as a script of bash."""
    typed = [each for each in commands(document) if reason_not_to_type(each) is None]
    return "\n".join(
        ["set -emo pipefail", *(f"echo {quote('$ ' + each)} >&2\n{each}" for each in typed)]
    )


def follow(
    name: str, folder: Path, replaced: Mapping[str, str], environment: Mapping[str, str]
) -> str:
    """Follow ``docs/guides/NAME.md`` in ``folder``; return what was said.

    ``replaced`` says what stands for what a machine without a network cannot have.
    """
    for at_top in ("pyproject.toml", "constraints.txt", "ray_cluster.yaml", "evaluator", "docs"):
        (folder / at_top).symlink_to(ROOT / at_top)
    text = script_of((ROOT / f"docs/guides/{name}.md").read_text(encoding="utf-8"))
    return type_in(text, folder, replaced, environment)


def type_in(
    text: str,
    folder: Path,
    replaced: Mapping[str, str],
    environment: Mapping[str, str],
    longest_s: float = 840,
) -> str:
    """Type a script's commands in ``folder``; return what was said."""
    typed = folder / "typed"
    typed.mkdir(exist_ok=True)
    for program in PROGRAMS:
        path = typed / program
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{AT_HAND}" {program} "$@"\n')
        path.chmod(0o755)
    whole = text
    for word, other in replaced.items():
        assert word in whole, word
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
        timeout=longest_s,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-6000:]}\nexit code {ended.returncode}"
    return ended.stdout
