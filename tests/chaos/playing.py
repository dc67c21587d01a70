"""Plays seeds, each in a folder of its own, and one after the other in a process of their own."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from shared.program.reporting.events import set_up_events
from tests.chaos.campaigns.processes import chaos_of_processes
from tests.chaos.campaigns.within import chaos_within
from tests.chaos.evaluations import chaos_of_evaluations
from tests.chaos.report import Told
from tests.chaos.sweeps import chaos_of_sweeps
from tests.chaos.trainings import chaos_of_trainings
from tests.chaos.turns import Turns

KINDS: Final[dict[str, Callable[[int, Path, int], Awaitable[Told]]]] = {
    "within": chaos_within,
    "processes": chaos_of_processes,
    "evaluations": chaos_of_evaluations,
    "trainings": chaos_of_trainings,
    "sweeps": chaos_of_sweeps,
}
WANTED: Final = {"within": 100, "processes": 100, "evaluations": 30, "trainings": 20, "sweeps": 4}
"""How many of each kind belong together; a sweep takes as long as several trainings."""
LANES: Final = (("within", "processes"), tuple(WANTED))
"""What each of the two that play at a time may play; models and Ray are set up by one alone."""


def play(kind: str, seed: int, listings: int) -> Told:
    """Play one seed of one kind in a folder of its own; what it raises is what it lost."""
    with (
        TemporaryDirectory(prefix="abo-vqa-chaos-") as folder,
        # The rehearsal's own lines are nobody's here.
        Path(folder, "server.log").open("w", encoding="utf-8") as lines,
    ):
        set_up_events(terminal=lines)
        try:
            return asyncio.run(KINDS[kind](seed, Path(folder), listings))
        except Exception as error:  # noqa: BLE001 - the edge: the next seed is to be played
            return Told(seed, kind, [f"{type(error).__name__}: {error}"])
        finally:
            set_up_events()


def play_in_turn(turns: Turns, kinds: Collection[str], listings: int) -> list[tuple[str, Told]]:
    """Play what comes next, in a process of its own, until nothing does or the time is up."""
    told = []
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as player:
        while (turn := turns.next_one(kinds)) is not None:
            kind, seed = turn
            began = time.monotonic()
            playing = player.submit(play, kind, seed, listings)
            try:
                told.append((kind, playing.result(turns.left_s)))
            except TimeoutError:
                print(f"seed {seed} of {kind}: cut off, for the time is up", flush=True)
                for number in list(player._processes):
                    end_all_below(psutil.Process(number), itself=True)
                break
            turns.took(kind, time.monotonic() - began)
            print(told[-1][1].line(), flush=True)
    return told


def end_all_below(one: psutil.Process, *, itself: bool = False) -> None:
    """Kill all that a process started, and it too where so wanted: nothing of it is waited for."""
    for each in [*one.children(recursive=True), *([one] if itself else [])]:
        with suppress(psutil.NoSuchProcess):
            each.kill()
