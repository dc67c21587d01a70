"""Programs in processes of their own, forked from one that has imported them: a start is quick.

They are killed, stopped and put to sleep as any process; only the seconds of importing are spared.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NoReturn

from tests.curator.campaigns import Ended

POLL_S: Final = 0.005
LONGEST_S: Final = 120.0
_FORKING = multiprocessing.get_context("forkserver")


_FORKING.set_forkserver_preload(
    [
        *("tests.trainer.recipes", "tests.models", "trainer.fitting.fit", "trainer.commands.fit"),
        *("trainer.pretraining.pretrain", "trainer.commands.pretrain", "tensorboardX"),
        *("ray", "tests.chaos.evaluations"),
    ]
)


class Forked:
    """A process that calls ``target`` with ``arguments``, and ends as a program that does so."""

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        self._said = [_FORKING.Pipe(duplex=False) for _ in ("out", "err")]
        writers = [writer for _, writer in self._said]
        self._process = _FORKING.Process(target=_leave_with, args=(writers, target, arguments))
        self._process.start()
        for writer in writers:
            writer.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.exitcode is not None

    @property
    def handles_signals(self) -> bool:
        """Whether it has come so far as to handle SIGTERM, which ends it without a word before."""
        status = Path(f"/proc/{self.pid}/status")
        with contextlib.suppress(FileNotFoundError):
            caught = next(x for x in status.read_text().splitlines() if x.startswith("SigCgt"))
            return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
        return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if not self.is_over:
            os.kill(self.pid, number)

    def ask_to_stop(self, number: signal.Signals) -> None:
        """Send a signal as soon as the program knows of it."""
        self.wait_until(lambda: self.handles_signals)
        self.send(number)

    def limit_files(self, most_bytes: int) -> None:
        """Let no file that it writes get larger: to it, the disk is full."""
        if not self.is_over:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    def wait_until(self, condition: Callable[[], bool], longest_s: float = LONGEST_S) -> None:
        """Wait until ``condition`` holds, the process is over or the time is up."""
        until = time.monotonic() + longest_s
        while not self.is_over and not condition() and time.monotonic() < until:
            time.sleep(POLL_S)

    def ended(self, longest_s: float = LONGEST_S) -> Ended:
        """Wait for its end; return how it ended. One that takes longer is killed.

        Raises:
            TimeoutError: it took longer.
        """
        self._process.join(longest_s)
        took_longer = not self.is_over
        if took_longer:
            self._process.kill()
            self._process.join()
        out, err = (_everything(reader) for reader, _ in self._said)
        if took_longer:
            raise TimeoutError(f"took over {longest_s:g} s: {out[-500:]} {err[-1_500:]}")
        assert self._process.exitcode is not None
        return Ended(self._process.exitcode, out, err)


def _everything(reader: Connection) -> str:
    """Return what was written. It is less than a pipe holds, so nobody waited for a reader."""
    content = b""
    while part := os.read(reader.fileno(), 65_536):
        content += part
    reader.close()
    return content.decode(errors="replace")


def _leave_with(
    writers: Sequence[Connection], target: Callable[..., None], arguments: Sequence[Any]
) -> None:
    for writer, number in zip(writers, (1, 2), strict=True):
        os.dup2(writer.fileno(), number)
        writer.close()
    leave_with(lambda: target(*arguments))


def leave_with(target: Callable[[], object]) -> NoReturn:
    """Call ``target`` in a forked process, and end as an interpreter does that has called it."""
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    code = 1
    try:
        target()
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter tells what nobody caught
        traceback.print_exc()
    # What is forked by multiprocessing does not end so in full.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)
