"""Campaigns against a rehearsal server: in this process, and in one of their own."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from curator.__main__ import app
from curator.campaign.beginning.inputs import RunOptions, plan_run
from curator.campaign.run import run
from curator.rehearsal.script import RehearsalScript
from curator.rehearsal.server import RehearsalServer
from curator.rehearsal.wiring import build_server, read_answers
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.errors import AboVqaError
from shared.program.cli import run_program
from shared.program.clock import Clock, SystemClock
from shared.program.settings import validated
from tests.curator.pictures import write_answers

KEYS = ("AIzaSyKeyNumberOne001", "AIzaSyKeyNumberTwo002", "AIzaSyKeyNumberTri003")
PICTURES = 12


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def rehearsal_of(
    folder: Path, images: Path, clock: Clock | None = None, **tables: Any
) -> RehearsalServer:
    """Return a server that answers about ``images``; what it keeps lies in ``folder``."""
    defaults = {
        "images": images,
        "answers": write_answers(images, folder / "answers.csv"),
        "accept_unlisted_keys": True,
    }
    script = validated(RehearsalScript, defaults | tables, source="test")
    return build_server(script, read_answers(script, folder / "thumbnails"), clock or SystemClock())


async def start_process(*arguments: str) -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if name != "GEMINI_API_KEYS"}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "curator",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment | {"NO_COLOR": "1"},
    )


async def ended(process: asyncio.subprocess.Process) -> Ended:
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


class Captured(Protocol):
    """What was written to standard output and standard error since it was asked last."""

    def readouterr(self) -> tuple[str, str]:
        """Return both."""


@dataclass(frozen=True)
class Campaign:
    """The arguments of one campaign in a folder of its own."""

    folder: Path
    catalog: Path
    server: RehearsalServer
    url: str
    capsys: Captured

    @property
    def ledger(self) -> Path:
        return self.folder / "campaign.db"

    async def start(self, *more: str) -> asyncio.subprocess.Process:
        return await start_process(
            *("run", "--catalog", str(self.catalog), "--keys", str(self.folder / "keys.txt")),
            *("--ledger", str(self.ledger), "--endpoint", self.url, "--questions", "3"),
            *("--concurrency", "2", *more),
        )

    async def run(self, clock: Clock | None = None, model: str = "", **more) -> Ended:
        """Do in this process, on this loop, what the command does."""
        more |= {"models": [model]} if model else {}
        options = RunOptions(
            **{
                "catalog": self.catalog,
                "keys": self.folder / "keys.txt",
                "ledger": self.ledger,
                "images": None,
                "models": ["gemini-3.5-flash-lite"],
                "base_url": self.url,
                "questions": 3,
                "answer_words": 1,
                "limit": None,
                "concurrency": 2,
                "on_exhausted": OnExhausted.STOP,
                "status": None,
                "timeout_s": 30.0,
            }
            | more
        )
        try:
            await run(options, plan_run(options), clock or SystemClock())
        except AboVqaError as error:
            return Ended(error.exit_code, "", f"{self.capsys.readouterr()[1]}curator: {error}")
        return Ended(0, "", self.capsys.readouterr()[1])

    async def command(self, *arguments: str) -> Ended:
        """Run another command of the program in this process."""

        def finish() -> int:
            with pytest.raises(SystemExit) as ended:
                run_program(app, "curator", [*arguments, "--ledger", str(self.ledger)])
            return ended.value.code

        self.capsys.readouterr()
        code = await asyncio.to_thread(finish)
        return Ended(code, *self.capsys.readouterr())

    async def status(self) -> dict:
        result = await self.command("status", "--json")
        assert result.code == 0, result.err
        (campaign,) = json.loads(result.out)["campaigns"]
        return campaign

    def pairs(self) -> list[tuple]:
        with closing(sqlite3.connect(self.ledger)) as database:
            return database.execute("SELECT item_id, question, answer FROM pairs").fetchall()

    @property
    def requests(self) -> int:
        return self.server.stats()["requests"]


async def until_requests(campaign: Campaign, count: int) -> None:
    async with asyncio.timeout(60):
        while campaign.requests < count:  # noqa: ASYNC110 - the server is watched from outside
            await asyncio.sleep(0.01)
