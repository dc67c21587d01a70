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
IS_A_PAGE = "FORKED_AT" in os.environ
PROGRAM = [str(ROOT / "tests/docs/forking.py")] * IS_A_PAGE + ["-m"]
ASK_THE_SERVICE = {"run", "keys"}
PAGES = {"view": "/", "review": "/", "serve": "/"}
"""Commands that serve something, and where to look at it."""
if IS_A_PAGE:
    # A guide goes on beside it, and asks it.
    PAGES["rehearse"] = "/rehearsal/stats"
NO_PAGES = {"--report", "--import"}
SERVING = Path("serving.pid")
"""Who serves a model until the next does, for those who ask it."""
OF_A_CLOUD = {"boto3"}
"""What a cloud's guide installs and nothing of ours needs."""


def main(name: str, words: list[str]) -> int:
    """Run what was typed; return the exit code."""
    match name:
        case "pip":
            return install(words)
        case "python3":
            bare = ["--without-pip"] if words[:2] == ["-m", "venv"] else []
            words = [*words, *bare]
        case "python" if words[:2] == ["-m", "http.server"]:
            return look(words, "/")
        case "python":
            pass
        case "curator" | "evaluator" if words and words[0] in PAGES and not NO_PAGES & {*words}:
            anywhere = [] if "--listen" in words else ["--listen", "127.0.0.1:0"]
            return look([*PROGRAM, name, *words, *anywhere], PAGES[words[0]])
        case "curator" if words and words[0] in ASK_THE_SERVICE and "--endpoint" not in words:
            words = [*PROGRAM, name, *words, "--endpoint", os.environ["GEMINI"]]
        case "evaluator" if "gemini" in words and "--endpoint" not in words:
            there = ["--endpoint", os.environ["GEMINI"], "--prompt", "Question: {question}"]
            words = [*PROGRAM, name, *words, *there]
        case "curator" if words[:1] == ["fetch"]:
            words = [*PROGRAM, name, *words, "--allow-private", "127.0.0.0/8"]
        case "kubectl":
            return apply(words)
        case "ray":
            return ray_at_hand.main(words)
        case _:
            words = [*PROGRAM, name, *words]
    return run([sys.executable, *words])


def run(words: list[str]) -> int:
    """Become another program, which signals then reach."""
    os.execv(words[0], words)


def look(words: list[str], at: str) -> int:
    """Open the page that a command serves, and end it as a person would; a model stays."""
    end_serving()
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=unbuffered,
    )
    try:
        said = ""
        while not (address := re.search(r"http://[\d.]+:\d+", said)):
            line = server.stdout.readline()
            assert line, said
            said += line
        with urlopen(address[0] + at, timeout=60) as page:
            assert page.read()
    except BaseException:
        server.send_signal(signal.SIGINT)
        raise
    if "serve" in words:
        SERVING.write_text(str(server.pid))
        return 0
    server.send_signal(signal.SIGINT)
    server.stdout.read()
    return server.wait()


def end_serving() -> None:
    """End who serves a model."""
    if SERVING.exists():
        os.kill(int(SERVING.read_text()), signal.SIGINT)
        SERVING.unlink()


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
