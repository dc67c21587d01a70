"""What Windows lacks is not needed: commands load; a campaign stops, goes on and is exported."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import curator.__main__
import evaluator.__main__
import trainer.__main__
from tests.curator.campaigns import until_requests
from tests.curator.conftest import rehearsal, stage  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
LOADS = """
import asyncio, tests.fakes.windows
tests.fakes.windows.pretend()
from importlib import import_module
for module in {modules}:
    import_module(module)
"""


def as_on_windows(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fakes.windows", *words],
        capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    "program", [curator.__main__, evaluator.__main__, trainer.__main__], ids=lambda p: p.__package__
)
def test_every_command_loads(program) -> None:
    modules = sorted({command.module for command in program.COMMANDS.values()})
    words = [sys.executable, "-c", LOADS.format(modules=modules)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
async def test_a_campaign_stops_goes_on_and_is_exported(stage, tmp_path) -> None:  # noqa: F811
    campaign = await stage(latency={"mean_ms": 1200})
    options = ("--keys", str(campaign.folder / "keys.txt"), "--endpoint", campaign.url)
    run = ("curator", "run", "--catalog", str(campaign.catalog), *options, "--questions", "3")
    run += ("--ledger", str(campaign.ledger), "--concurrency", "1")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.windows", *run),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT,
    )  # fmt: skip
    await until_requests(campaign, 1)
    second = await asyncio.to_thread(as_on_windows, *run)
    process.terminate()
    assert second.returncode == 2
    assert "another `curator run`" in second.stderr
    await process.communicate()
    assert process.returncode == 75
    ended = await asyncio.to_thread(as_on_windows, *run, "--concurrency", "12")
    assert ended.returncode == 0, ended.stderr
    for out in ("pairs.csv", "dataset"):
        exported = as_on_windows(
            *("curator", "export", "--ledger", str(campaign.ledger), "--out", str(tmp_path / out))
        )
        assert exported.returncode == 0, exported.stderr
    assert {path.name for path in tmp_path.iterdir()} >= {"pairs.csv", "dataset"}
    assert not list(tmp_path.glob(".*"))
