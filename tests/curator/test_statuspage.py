from __future__ import annotations

import aiohttp
import pytest

from curator.statuspage import Address, parse_address, served
from shared.errors import InputError


async def read_status() -> dict:
    return {"campaigns": [{"id": 1}]}


async def test_the_page_the_health_and_the_figures_are_served():
    async with (
        served(Address("127.0.0.1", 0), read_status) as where,
        aiohttp.ClientSession(f"http://{where.host}:{where.port}") as session,
    ):
        async with session.get("/") as page:
            assert page.status == 200
            assert "page.js" in await page.text()
        async with session.get("/page.js") as script:
            assert "api/status" in await script.text()
        async with session.get("/healthz") as health:
            assert await health.json() == {"status": "ok"}
        async with session.get("/api/status") as status:
            assert await status.json() == {"campaigns": [{"id": 1}]}


async def test_a_port_that_is_taken_is_bad_input():
    async with served(Address("127.0.0.1", 0), read_status) as where:
        with pytest.raises(InputError, match="cannot listen"):
            async with served(where, read_status):
                pass


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80)),
        ("localhost:8765", Address("localhost", 8765)),
        ("[::1]:8765", Address("::1", 8765)),
        (":8765", Address("127.0.0.1", 8765)),
    ],
)
def test_addresses_of_this_machine_are_read(text, wanted):
    assert parse_address(text) == wanted


@pytest.mark.parametrize("text", ["0.0.0.0:1", "192.168.1.4:80", "8765", "localhost:x", "a.b:7"])
def test_other_addresses_are_refused(text):
    with pytest.raises(InputError, match="--status"):
        parse_address(text)
