"""What starts quickly: commands leave alone what takes long to import and they do not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from curator.ledger import Campaign, Ledger
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.records import ImageRef, Listing
from tests.curator.campaigns import ended
from tests.curator.ledger.ledgers import fresh_ledger

NOT_FOR_A_RUN = {"alembic", "google.genai", "numpy", "pandas", "pyarrow", "sqlalchemy"}
SLOW = {"PIL", "aiohttp", "structlog"} | NOT_FOR_A_RUN
RUN = """
import sys
from curator.__main__ import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


@pytest.fixture
async def ledger_file(tmp_path):
    fresh_ledger(tmp_path / "l.db")
    async with Ledger.opened(tmp_path / "l.db") as ledger:
        await ledger.add_catalog("c", None, "i", [Listing("L", ImageRef("i", "i.jpg"), {})], 1.0)
        await ledger.enrol(Campaign((AskedModel("m"),), "v", 10), 1.0)
        await ledger.remember_keys([Key("a", "p", "AIzaSecret")], 1.0)
    return tmp_path / "l.db"


@pytest.mark.parametrize("command", ["--help", "status"])
def test_a_command_that_only_looks_imports_nothing_slow(ledger_file, command):
    words = [command, "--ledger", str(ledger_file)] if command == "status" else [command]
    ran = subprocess.run(
        [sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True
    )
    assert ("under these quotas" in ran.stdout) == (command == "status")
    assert SLOW & set(ran.stderr.split()) == set()


async def test_a_run_imports_nothing_slow_that_it_does_not_need(stage, monkeypatch):
    campaign = await stage()
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    run = await ended(await campaign.start())
    assert run.code == 0, run.err
    imported = {line.rpartition("|")[2].strip() for line in run.err.splitlines()}
    assert "aiohttp" in imported
    # Nothing is drawn where nobody has a terminal.
    assert (NOT_FOR_A_RUN | {"rich.console"}) & imported == set()
