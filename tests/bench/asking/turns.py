"""Who takes part in a race, and their turns: all run one after the other, several times over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.asking.race import Race, Run, run_contender, run_curator
from tests.bench.builds import ROOT, build_of

OURS: Final = "curator run"
BARE: Final = ("aiohttp", "google-genai")
PEERS: Final = ("litellm", "bespokelabs-curator")
Entrant = Callable[[Race, int], Run]
"""Runs a race; the number is that of the turn."""


def entrants(peers: Path, before: str | None, folder: Path) -> dict[str, Entrant]:
    """Return who takes part: ours, a build of ours of before, and the others.

    Args:
        peers: the folder with an environment for each peer; one that is not there is left out.
        before: a commit, which is written into ``folder``.
        folder: where to.
    """
    found: dict[str, Entrant] = {OURS: _curator(OURS, ROOT)}
    if before is not None:
        found[before] = _curator(before, build_of(before, folder / "before"))
    for name in BARE:
        found[name] = _contender(name)
    for name in PEERS:
        python = peers / name / "bin" / "python"
        if python.exists():
            found[name] = _contender(name, str(python))
        else:
            print(f"{name}: not installed in {peers}, left out")
    return found


def _curator(name: str, build: Path) -> Entrant:
    def run(asked: Race, turn: int) -> Run:
        ledger = f"{name}-{asked.count}-{asked.concurrency}-{turn}.db"
        return run_curator(asked, ledger, name=name, build=build)

    return run


def _contender(name: str, *python: str) -> Entrant:
    return lambda asked, _: run_contender(name, asked, *python)


def median_runs(taking_part: Mapping[str, Entrant], asked: Race, rounds: int) -> dict[str, Run]:
    """Let all take turns; return of each the median of what was seen, without who failed."""
    found: dict[str, list[Run]] = {name: [] for name in taking_part}
    for turn in range(rounds):
        for name, run in taking_part.items():
            try:
                found[name].append(run(asked, turn))
            except RuntimeError as error:
                print(error)
    return {name: _median_run(runs) for name, runs in found.items() if runs}


def _median_run(runs: Iterable[Run]) -> Run:
    first, *_ = runs = list(runs)
    by_stall = sorted(runs, key=lambda run: run.longest_stall_s)
    return replace(
        first,
        start_s=median(run.start_s for run in runs),
        sending_s=median(run.sending_s for run in runs),
        settled_rate=median(run.settled_rate for run in runs),
        cpu_s=median(run.cpu_s for run in runs),
        peak_mb=median(run.peak_mb for run in runs),
        sent_kb=median(run.sent_kb for run in runs),
        stalls_s=by_stall[len(by_stall) // 2].stalls_s,
    )
