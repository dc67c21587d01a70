"""What befalls a program, and what it may never do then."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from shared.program.stopping import SIGNALS
from tests.chaos.forked import Forked
from tests.curator.campaigns import Ended


@dataclass
class UnderFire:
    """A program under fire: ``die`` decides, ``tried`` counts, and ``lost`` is what did not hold.

    What befalls it returns the exit codes that it may end with. ``disk_bytes`` are sizes that no
    file may pass when its disk is full.
    """

    program: ClassVar[str]
    disk_bytes: ClassVar[tuple[int, ...]]
    longest_s: ClassVar[float] = 120.0

    die: random.Random
    tried: Counter[str] = field(default_factory=Counter, init=False)
    lost: list[str] = field(default_factory=list, init=False)
    runs: int = field(default=0, init=False)
    last_line: str = field(default="", init=False)

    def kill(self, process: Forked) -> set[int]:
        """End it without asking."""
        self.tried["kill -9"] += 1
        process.send(signal.SIGKILL)
        return {-signal.SIGKILL, 0}

    def stop(self, process: Forked) -> set[int]:
        """Ask it to stop."""
        self.tried["one signal"] += 1
        process.ask_to_stop(self.die.choice(SIGNALS))
        return {75, 0}

    def stop_twice(self, process: Forked) -> set[int]:
        """Ask it to stop, and again while it does."""
        self.tried["two signals"] += 1
        for _ in range(2):
            process.ask_to_stop(self.die.choice(SIGNALS))
            self.pause(process, 0.1)
        return {75, 0}

    def put_to_sleep(self, process: Forked) -> set[int]:
        """Stop it for a moment; it goes on, or is killed."""
        self.tried["SIGSTOP"] += 1
        process.send(signal.SIGSTOP)
        self.pause(process, 1.0)
        if self.die.random() < 0.5:
            return self.kill(process)
        process.send(signal.SIGCONT)
        return {0}

    def fill_disk(self, process: Forked) -> set[int]:
        """Let its files grow no more."""
        self.tried["a full disk"] += 1
        process.limit_files(self.die.choice(self.disk_bytes))
        return {0, 1}

    def pause(self, process: Forked, longest_s: float) -> None:
        """Do nothing for some time, at most to its end."""
        process.wait_until(lambda: False, self.die.uniform(0.0, longest_s))

    def over(self, process: Forked, allowed: set[int]) -> int | None:
        """Wait for the end of a run; return its exit code, ``None`` where it took too long."""
        try:
            result = process.ended(self.longest_s)
        except TimeoutError as error:
            self.lost.append(str(error))
            return None
        self.tried[f"ended with {result.code}"] += 1
        self.last_line = (result.err.splitlines() or [""])[-1]
        self.lost += self._faults_of(result, allowed)
        return result.code

    def _faults_of(self, result: Ended, allowed: set[int]) -> list[str]:
        said = result.err[-1_500:]
        if "Traceback" in result.err or "Exception ignored" in result.err:
            return [f"a traceback: {said}"]
        if result.code not in allowed:
            return [f"a run ended with {result.code}: {said}"]
        if result.code > 0 and not self.last_line.startswith(f"{self.program}: "):
            return [f"a run ended with {result.code} and no line that says why: {said}"]
        return []


def left_in(out: Path, but_for: Collection[str]) -> dict[str, bytes]:
    """Return the content of each file below ``out``, except for some names at its top."""
    files = {path.relative_to(out): path for path in out.rglob("*") if path.is_file()}
    kept = {name: path for name, path in files.items() if name.parts[0] not in but_for}
    return {str(name): path.read_bytes() for name, path in kept.items()}


def differences(whole: Mapping[str, bytes], resumed: Mapping[str, bytes]) -> list[str]:
    """Return, in a line, what is not as a run that nothing befell left it; nothing where all is."""
    odd = [name for name in whole.keys() | resumed.keys() if whole.get(name) != resumed.get(name)]
    return [f"not as a run that nothing befell left it: {', '.join(sorted(odd))}"] if odd else []
