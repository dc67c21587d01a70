"""The page on which all pairs are looked at: over HTTP, as a process, and in a browser."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from curator.review.desk import Desk
from curator.review.page.site import Looked, served
from shared.web.access import Address
from tests.curator.campaigns import ended, start_process
from tests.curator.review.ledgers import Row, filled_ledger

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "a-token-of-some-length"
EVIL = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
ROWS = [
    *(
        Row(item, "What is the color of it?", f"red{item}", "agrees", "red1")
        for item in range(1, 81)
    ),
    Row(81, f"What is it made of, {EVIL}?", "wood"),
]


@pytest.fixture
def ledger(tmp_path):
    return filled_ledger(tmp_path / "l.db", ROWS, images=tmp_path / "images")


@asynccontextmanager
async def page(ledger: Path, token: str | None = None):
    looked = Looked(Desk(ledger), [ledger.parent / "images"])
    async with (
        served(Address("127.0.0.1", 0, token), looked) as where,
        aiohttp.ClientSession(where.url) as session,
    ):
        yield session


async def read(session, path: str) -> dict:
    async with session.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_pairs_come_page_by_page_with_all_that_is_known(ledger):
    async with page(ledger) as session:
        first = await read(session, "api/pairs?campaign=1")
        rest = await read(session, f"api/pairs?campaign=1&after={first['next']}")
        told = await read(session, "api/pairs/count?campaign=1")
    pairs = first["pairs"] + rest["pairs"]
    assert [pair["item"] for pair in pairs] == list(range(1, 82))
    assert (rest["next"], told) == (None, {"count": 81, "next": None})
    assert pairs[0] | {"listing": {}} == {
        "campaign": 1,
        "item": 1,
        "number": 0,
        "thumbnail": "thumbnails/1",
        "picture": "pictures/1",
        "listing_id": "B001",
        "image_path": "1.png",
        "listing": {},
        "question": "What is the color of it?",
        "answer": "red1",
        "type": "colour",
        "difficulty": "easy",
        "style": "",
        "agreement": "agrees",
        "model": "gemini-x",
        "prompt_version": "1-abc",
        "opinion": "agrees",
        "second_answer": "red1",
        "rule": "",
        "reason": "",
        "reviews": [],
    }


@pytest.mark.parametrize(
    "query",
    [
        *("", "campaign=x", "campaign=0", "campaign=1&after=x", "campaign=1&limit=0"),
        *("campaign=1&limit=9999", "campaign=1&kind=x", "campaign=1&agreement=x"),
        *("campaign=1&shown=x", "campaign=1&decision=x", f"campaign=1&search={'x' * 500}"),
        f"campaign={10**30}",
    ],
)
async def test_what_cannot_be_asked_is_refused_in_one_line(ledger, query):
    async with page(ledger) as session, session.get(f"api/pairs?{query}") as answer:
        assert answer.status == 400
        assert (await answer.text()).count("\n") == 1


async def test_pictures_are_small_and_large_and_come_from_the_folder_alone(ledger):
    async with page(ledger) as session:
        for path, longest in (("thumbnails/1", 320), ("pictures/1", 400)):
            async with session.get(path) as answer, asyncio.timeout(20):
                with Image.open(io.BytesIO(await answer.read())) as image:
                    assert max(image.size) == longest
        for path in ("thumbnails/99", "pictures/..%2f..%2fl.db", "page.py", "site.py"):
            async with session.get(path) as answer:
                assert answer.status == 404


async def test_others_are_turned_away(ledger):
    async with page(ledger) as session:
        headers = {"Host": "evil.example"}
        async with session.get("api/pairs?campaign=1", headers=headers) as answer:
            assert answer.status == 421
        async with session.get("") as answer:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    async with page(ledger, TOKEN) as session:
        for path in ("api/ledger", "api/pairs?campaign=1", "thumbnails/1", "pictures/1"):
            async with session.get(path) as answer:
                assert answer.status == 401


async def test_a_ledger_that_cannot_be_read_any_more_is_told(ledger):
    async with page(ledger) as session:
        ledger.unlink()
        async with session.get("api/ledger") as answer:
            assert answer.status == 503
            assert "cannot be read" in await answer.text()


async def test_the_command_serves_until_it_is_asked_to_stop(ledger):
    before = ledger.read_bytes()
    process = await start_process("view", str(ledger), "--listen", "127.0.0.1:0")
    line = (await process.stdout.readline()).decode()
    [url] = re.findall(r"http://\S+", line)
    async with aiohttp.ClientSession(url) as session:
        assert (await read(session, "api/ledger"))["campaigns"][0]["pairs"] == 81
        async with session.get("thumbnails/3") as answer:
            assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    assert (await ended(process)).code == 0
    assert ledger.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["no.db"], "no such ledger"),
        (["l.db", "--listen", "8080"], "--listen '8080': give HOST:PORT"),
        (["l.db", "--listen", "0.0.0.0:1"], "needs a token"),
        (["l.db", "--images", "nowhere"], "no such images folder"),
    ],
)
async def test_what_cannot_be_served_is_one_line(ledger, words, wanted):
    words = [str(ledger.parent / word) if word.endswith(".db") else word for word in words]
    result = await ended(await start_process("view", *words))
    assert result.code == 2
    assert wanted in result.err
    assert result.err.count("\n") == 1


def test_the_pages_files_ask_nobody_else_and_set_texts_alone():
    folder = Path(__file__).parents[4] / "curator/review/page/browser"
    files = [path for path in folder.iterdir() if path.suffix in {".html", ".css", ".js"}]
    assert len(files) >= 6
    for path in files:
        text = path.read_text(encoding="utf-8")
        names_a_space = r"https?://(?!www\.w3\.org/2000/svg)"
        assert not re.search(rf"{names_a_space}|@import|innerHTML|style=| on\w+=", text), path.name
    page = (folder / "page.html").read_text(encoding="utf-8")
    for control in re.findall(r"<(?:input|select)[^>]*>", page):
        before = page.partition(control)[0]
        assert "aria-label" in control or before.rfind("<label") > before.rfind("</label>"), control


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path")
async def test_pairs_are_looked_at_in_a_browser(ledger):
    async_api = pytest.importorskip("playwright.async_api", reason="needs playwright")
    complaints: list[str] = []
    looked = Looked(Desk(ledger), [ledger.parent / "images"])
    address = Address("127.0.0.1", 0, TOKEN)
    async with served(address, looked) as where, async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = await browser.new_page()
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: complaints.append(request.url)
               if not request.url.startswith(where.url) else None)  # fmt: skip
        await tab.goto(where.url)
        await tab.get_by_label("Token").fill(TOKEN)
        await tab.get_by_role("button").click()
        tab.on("console", lambda message: complaints.append(message.text))
        expect = async_api.expect
        await expect(tab.locator("#count")).to_have_text("81 pairs")
        await tab.locator("footer").scroll_into_view_if_needed()
        await expect(tab.locator("#pairs > li")).to_have_count(81)
        await expect(tab.locator("#end")).to_have_text("That is all.")
        await expect(tab.locator("#pairs > li").last).to_contain_text("<script>document.title")
        await tab.get_by_label("Search").fill("red7")
        await expect(tab.locator("#count")).to_have_text("11 pairs")
        await expect(tab.locator("#pairs > li")).to_have_count(11)
        # The address brings the same pairs to somebody else.
        await tab.reload()
        await expect(tab.locator("#count")).to_have_text("11 pairs")
        await tab.locator(".picture").first.click()
        await expect(tab.locator("#large")).to_contain_text("Größer & Co")
        await tab.keyboard.press("Escape")
        await tab.get_by_label("Search").fill("nothing of the kind")
        await expect(tab.locator("#end")).to_have_text("Nothing of this kind.")
        await tab.get_by_label("Search").fill("")
        await tab.get_by_text("Filters").click()
        await tab.get_by_label("second opinion").select_option("none")
        await expect(tab.locator("#count")).to_have_text("1 pair")
        await tab.set_viewport_size({"width": 390, "height": 800})
        assert await tab.evaluate("document.documentElement.scrollWidth") == 390
        assert "taken" not in await tab.title()
        assert complaints == []
        await browser.close()
