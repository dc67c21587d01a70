"""A signal ends any command in good order, wherever it is; a second one ends it at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from shared.program.stopping import GOES_ON, GOES_ON_WITH_RESUME, SIGNALS

PROGRAM = """
import asyncio, multiprocessing, os, time, typer
from shared.program.async_stopping import AsyncStopSignal, stop_on_signals
from shared.program.cli import run_program

app = typer.Typer()

def told(wait):
    try:
        print("at work", flush=True)
        wait()
    finally:
        print("closed", flush=True)

def working(is_ready):
    is_ready.set()
    while True:
        time.sleep(0.01)

async def waiting():
    try:
        print("at work", flush=True)
        await asyncio.sleep(300)
    finally:
        await asyncio.sleep(0.01)
        print("closed", flush=True)

async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(300))
        await waiting()

async def after_a_block():
    with stop_on_signals(AsyncStopSignal(), "taster"):
        pass
    await waiting()

@app.command()
def blocking(): told(lambda: time.sleep(300))

@app.command()
def tasks(): asyncio.run(grouped())

@app.command()
def after(): asyncio.run(after_a_block())

@app.command()
def stubborn():
    try:
        blocking()
    finally:
        time.sleep(300)

@app.command()
def forking():
    fork = multiprocessing.get_context("fork")
    is_ready = fork.Event()
    child = fork.Process(target=working, args=(is_ready,))
    child.start()
    is_ready.wait()
    child.terminate()
    child.join()
    print(child.exitcode, flush=True)

run_program(app, "taster", goes_on={"after": "another line"})
"""


def started(*words: str) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *words], text=True, **pipes)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("command", "line"), [("blocking", GOES_ON), ("tasks", GOES_ON), ("after", "another line")]
)
def test_the_first_signal_closes_what_is_open(command, line, number):
    with started("-c", PROGRAM, command) as program:
        assert program.stdout.readline() == "at work\n"
        program.send_signal(number)
        out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (75, "closed\n", f"taster: {line}\n")


@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_ends_what_takes_long_to_close(second):
    with started("-c", PROGRAM, "stubborn") as program:
        assert program.stdout.readline() == "at work\n"
        program.send_signal(signal.SIGTERM)
        assert program.stdout.readline() == "closed\n"
        program.send_signal(second)
        out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (75, "", f"taster: {GOES_ON}\n")


def test_a_forked_process_ends_as_if_nobody_handled_the_signal():
    with started("-c", PROGRAM, "forking") as program:
        out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (0, f"{-signal.SIGTERM}\n", "")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("trainer", "fit"), GOES_ON_WITH_RESUME),
        (("trainer", "pretrain"), GOES_ON_WITH_RESUME),
        (("trainer", "sweep"), GOES_ON),
        (("evaluator", "score"), GOES_ON),
    ],
)
def test_an_early_signal_says_how_the_command_goes_on(tmp_path, words, line, number):
    # A named pipe that nobody writes to holds the program until the signal comes.
    pipe = tmp_path / "recipe.toml"
    os.mkfifo(pipe)
    program, command = words
    with started("-m", program, command, str(pipe)) as process:
        # Opened once the program has opened the other end; closed, as a signal that arrives just
        # before the program reads is handled only after that.
        with pipe.open("w"):
            process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (75, f"{program}: {line}\n")
