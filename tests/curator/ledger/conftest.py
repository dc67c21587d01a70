"""A ledger that is open, for each test its own."""

from __future__ import annotations

import pytest

from curator.ledger import Ledger
from tests.curator.ledger.ledgers import fresh_ledger


@pytest.fixture
async def ledger(tmp_path):
    async with Ledger.opened(fresh_ledger(tmp_path / "l.db")) as opened:
        yield opened
