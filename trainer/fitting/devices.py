"""``trainer fit --devices N``: starts a process for each device, and says which one was lost.

torch's own launcher (that of torchrun) starts and watches the processes; each runs the same command
and finds its place in ``trainer.training.team``. The first one's output is the command's own. A
signal goes to all of them, which then stop in good order.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NoReturn
from uuid import uuid4

import torch
from torch.distributed.elastic.multiprocessing import (
    DefaultLogsSpecs,
    SignalException,
    Std,
)
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from shared.errors import EXIT_STOPPED_FOR_NOW, AboVqaError, InputError

EXIT_OTHER_LOST: Final = 70
"""With which a process ends whose work needs another that has ended; seen here alone."""
_TIME_TO_STOP_S: Final = 300
"""Within which a process takes its step and saves, before it is killed."""
_WAY_ON: Final = "give the same command with --resume to go on at the last checkpoint"


def require_devices(count: int) -> None:
    """Check that there are so many devices: cards, or cores where there is no card.

    Raises:
        InputError: there are fewer.
    """
    cards = torch.cuda.device_count()
    there, kind = (cards, "cards") if cards else (len(os.sched_getaffinity(0)), "cores and no card")
    if count > there:
        raise InputError(f"--devices {count}: this machine has {there} {kind}")


def train_on(count: int, words: Sequence[str]) -> None:
    """Run ``python -m WORDS`` once for each device, and return when all have ended well.

    Raises:
        AboVqaError: a process was killed or failed; what the first one said is on standard error.
        SystemExit: with the code of the first process, which has said why it ended; or with that of
            a stop.
    """
    # The launcher tells of every signal that it sends; the processes speak for themselves.
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // count)))
    if not torch.cuda.is_available():
        # All of them are on this machine, whatever its name stands for.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with TemporaryDirectory() as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            signals_to_handle="SIGTERM,SIGINT",
            shutdown_timeout=_TIME_TO_STOP_S,
            # Each process sees its own card alone, as a run on one device does.
            virtual_local_rank=True,
            logs_specs=DefaultLogsSpecs(
                log_dir=logs, redirects=dict.fromkeys(range(1, count), Std.ALL)
            ),
        )
        try:
            elastic_launch(config, sys.executable)("-m", *words)
        except SignalException:
            raise SystemExit(EXIT_STOPPED_FOR_NOW) from None
        except ChildFailedError as error:
            _explain(error.failures, Path(logs))


def _explain(failures: Mapping[int, ProcessFailure], logs: Path) -> NoReturn:
    causes = {n: f for n, f in failures.items() if f.exitcode not in _CONSEQUENCES} or failures
    number, failure = min(causes.items())
    if failure.exitcode < 0:
        name = signal.Signals(-failure.exitcode).name
        raise AboVqaError(f"device {number}: its process was killed ({name}); {_WAY_ON}")
    if number == 0:
        raise SystemExit(failure.exitcode)
    said = _last_line(logs, number) or f"its process ended with {failure.exitcode}"
    raise AboVqaError(f"device {number}: {said}; {_WAY_ON}")


_CONSEQUENCES: Final = frozenset({EXIT_OTHER_LOST, -signal.SIGTERM})


def _last_line(logs: Path, number: int) -> str:
    texts = [path.read_text(errors="replace") for path in logs.rglob(f"{number}/stderr.log")]
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("trainer: ") if lines else ""
