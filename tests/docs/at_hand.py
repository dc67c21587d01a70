"""What a guide's reader types, where the network is missing: ``at_hand.py PROGRAM WORDS...``.

Programs of ours run as they are; the campaign's service is the rehearsal at ``$GEMINI``, and pages
are looked at once, then ended as by Ctrl+C. Installing checks that what is named is declared.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.request import urlopen

import ray_at_hand

ROOT = Path(__file__).parents[2]
ASK_THE_SERVICE = {"run", "keys"}
PAGES = {"view", "review"}
OF_A_CLOUD = {"boto3"}
"""What a cloud's guide installs and nothing of ours needs."""


def main(name: str, words: list[str]) -> int:
    """Run what was typed; return the exit code."""
    match name:
        case "pip":
            return install(words)
        case "python3":
            bare = ["--without-pip"] if words[:2] == ["-m", "venv"] else []
            words = [sys.executable, *words, *bare]
        case "curator" if words and words[0] in PAGES:
            return look(["-m", name, *words, "--listen", "127.0.0.1:0"])
        case "curator" if words and words[0] in ASK_THE_SERVICE and "--endpoint" not in words:
            words = [sys.executable, "-m", name, *words, "--endpoint", os.environ["GEMINI"]]
        case "kubectl":
            return apply(words)
        case "ray":
            return ray_at_hand.main(words)
        case _:
            words = [sys.executable, "-m", name, *words]
    return run(words)


def run(words: list[str]) -> int:
    """Become another program, which signals then reach."""
    os.execv(words[0], words)


def look(words: list[str]) -> int:
    """Open the page that a command serves, and end it as a person would."""
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as server:
        said = ""
        while not (address := re.search(r"http://\S+", said)):
            line = server.stdout.readline()
            assert line, said
            said += line
        with urlopen(address[0], timeout=10) as page:
            assert b"<html" in page.read()
        server.send_signal(signal.SIGINT)
    return 0


def apply(words: list[str]) -> int:
    """Check that a RayJob is applied; its fields are `tests/test_kuberay.py`'s to check."""
    verb, file, path = words
    assert (verb, file) == ("apply", "-f")
    return 0 if "kind: RayJob" in Path(path).read_text(encoding="utf-8") else 1


def install(words: list[str]) -> int:
    """Check that what is to be installed is declared or pinned."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = Path("constraints.txt").read_text(encoding="utf-8").split()
    packages = {line.partition("==")[0].lower() for line in pinned}
    verb, *wanted = words
    if verb == "wheel":
        return 0 if wanted == ["--no-deps", "--wheel-dir", "dist", "."] else 1
    assert verb == "install", words
    if "--constraint" in wanted:
        at = wanted.index("--constraint")
        assert Path(wanted.pop(at + 1)).is_file()
        del wanted[at]
    for each in wanted:
        if extras := re.fullmatch(r"\.\[([\w,-]+)\]", each):
            assert set(extras[1].split(",")) <= set(project["optional-dependencies"]), each
        else:
            assert each in pinned or each in packages | OF_A_CLOUD, each
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
