"""Programs for a reader who types many: ``forking.py -m PROGRAM WORDS...`` runs one at once.

It is forked from a process at ``$FORKED_AT`` that has imported what the programs import, which
spares each the seconds of that; all else is as with ``python -m``.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

IMPORTED = (
    *("curator.api", "curator.commands.campaign.run", "curator.commands.judging.review"),
    *("evaluator.commands.run", "evaluator.reporting.page", "evaluator.serve.site", "ray"),
    *("trainer.fitting.fit", "trainer.commands.export", "shared.vqa.families"),
    *("tests.chaos.forked",),
)


@contextmanager
def programs_at(address: Path) -> Iterator[None]:
    """Have programs forked at ``address``, a Unix socket, for the time of the block."""
    words = [sys.executable, __file__, str(address)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(words, start_new_session=True, env=environment) as server:
        try:
            while not address.exists():
                assert server.poll() is None
                time.sleep(0.05)
            yield
        finally:
            # It and what it forked.
            os.killpg(server.pid, signal.SIGTERM)


def ask(words: list[str]) -> int:
    """Have ``-m PROGRAM WORDS...`` run here, hand signals on to it, and return its exit code."""
    asked = json.dumps({"words": words, "folder": str(Path.cwd()), "environment": dict(os.environ)})
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["FORKED_AT"])
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(asked.encode() + b"\n")
        said = server.makefile()
        program = int(said.readline())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(program, number))
        return int(said.readline())


def serve(address: str) -> NoReturn:
    """Fork a program for each that asks."""
    for module in IMPORTED:
        importlib.import_module(module)
    # Whoever forks programs outlives them, and nobody else waits for it.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address + ".new")
        server.listen(8)
        Path(address + ".new").rename(address)
        while True:
            caller, _ = server.accept()
            if not os.fork():
                server.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                tell(caller)
            caller.close()


def tell(caller: socket.socket) -> NoReturn:
    """Run what is asked for in a process of its own, and tell its number and how it ended."""
    _, channels, *_ = socket.recv_fds(caller, 1, 3)
    said = caller.makefile("rw")
    asked = json.loads(said.readline())
    program = os.fork()
    if not program:
        caller.detach()
        run(asked, channels)
    said.write(f"{program}\n")
    said.flush()
    _, status = os.waitpid(program, 0)
    with suppress(BrokenPipeError):
        said.write(f"{os.waitstatus_to_exitcode(status)}\n")
        said.flush()
    os._exit(0)


def run(asked: dict[str, Any], channels: list[int]) -> NoReturn:
    """Become the program that is asked for."""
    from tests.chaos.forked import leave_with  # noqa: PLC0415

    for number, channel in enumerate(channels):
        os.dup2(channel, number)
        os.close(channel)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = asked["words"][1:]
    sys.modules.pop(f"{sys.argv[0]}.__main__", None)
    leave_with(lambda: runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True))


if __name__ == "__main__":
    if sys.argv[1] == "-m":
        raise SystemExit(ask(sys.argv[1:]))
    serve(sys.argv[1])
