"""``ray`` for a guide's reader on a machine that others use too, and that reaches no cloud.

A head is a real one on loopback, ended alone. What would call a cloud is checked for its form: the
cluster's file by Ray's own rules, and the program's options by the program.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import yaml

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
HEAD = Path(os.environ.get("RAY_TMPDIR", "."), "head.pid")
TRIES = 20


def main(words: list[str]) -> int:
    """Do what was typed after ``ray``; return the exit code."""
    match words:
        case ["start", "--head", *options]:
            return start(options)
        case ["stop"]:
            return stop()
        case ["job", "submit", *_]:
            return submit(words)
        case ["submit", file, script, "--", *typed]:
            check_cluster(file)
            assert Path(script).is_file()
            return check_options(typed)
        case ["up" | "down", "--yes", file] | ["dashboard", file]:
            return check_cluster(file)
    raise AssertionError(words)


def start(options: list[str]) -> int:
    """Start a head that the machine's other clusters do not meet, and wait until it takes jobs."""
    words = [
        *(*RAY, "start", "--head", "--block", "--disable-usage-stats", *options),
        *("--node-ip-address", "127.0.0.1", "--dashboard-host", "127.0.0.1"),
        *("--dashboard-agent-listen-port", str(free_port()), "--temp-dir", str(HEAD.parent)),
        *("--num-cpus", "2", "--object-store-memory", str(100 * 2**20)),
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    head = subprocess.Popen(words, start_new_session=True, **quiet)
    HEAD.write_text(str(head.pid))
    ports = [int(options[options.index(name) + 1]) for name in ("--port", "--dashboard-port")]
    while not all(map(is_listening, ports)):
        assert head.poll() is None
        time.sleep(0.2)
    return 0


def stop() -> int:
    """End the head that was started, and no other; it ends what it started."""
    if HEAD.exists():
        os.kill(int(HEAD.read_text()), signal.SIGTERM)
        HEAD.unlink()
    return 0


def submit(words: list[str]) -> int:
    """Submit a job; a head takes jobs some seconds after it listens."""
    for _ in range(TRIES):
        ended = subprocess.run([*RAY, *words], check=False, capture_output=True, text=True)
        if "No available agent" not in ended.stdout + ended.stderr:
            break
        time.sleep(0.5)
    print(ended.stdout, ended.stderr)
    return ended.returncode


def check_cluster(file: str) -> int:
    """Check a cluster's file as ``ray up`` does before it calls the cloud."""
    from ray.autoscaler._private.util import prepare_config, validate_config  # noqa: PLC0415

    validate_config(prepare_config(yaml.safe_load(Path(file).read_text(encoding="utf-8"))))
    return 0


def check_options(typed: list[str]) -> int:
    """Check that the evaluator takes these words; nothing is run."""
    from typer.main import get_command  # noqa: PLC0415

    from evaluator.__main__ import app  # noqa: PLC0415

    program = get_command(app)
    context = program.make_context("evaluator", typed)
    name, command, rest = program.resolve_command(context, typed)
    command.make_context(name, rest, parent=context)
    return 0


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
