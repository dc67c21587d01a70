"""People decide on the page: over HTTP, beside a run that writes, and by keyboard in a browser."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest

from curator.commands.judging.after import tell_what_comes_next
from curator.ledger.reviews.candidates import Draw
from curator.review.desk import Desk
from curator.review.page.site import Looked, served
from curator.review.sitting import Sitting
from shared.program.clock import SystemClock
from shared.web.access import Address
from tests.curator.campaigns import ended, start_process, until_requests
from tests.curator.review.ledgers import Row, change, filled_ledger

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
EVIL = "<img src=x onerror=\"document.title='taken'\">"
PAIR = {"campaign": 1, "item": 1, "question": "Q", "answer": "a"}
ROWS = [
    Row(item, f"What is the color of {EVIL if item == 3 else 'it'}?", f"red{item}", "", "blue")
    for item in range(1, 7)
]


@pytest.fixture
def ledger(tmp_path):
    return filled_ledger(tmp_path / "l.db", ROWS, images=tmp_path / "images")


def looked(ledger: Path, reviewer: str = "", busy_s: float = 10.0) -> Looked:
    desk = Desk(ledger, busy_s)
    return Looked(desk, [ledger.parent / "images"], Sitting(desk, SystemClock(), Draw()), reviewer)


@asynccontextmanager
async def page(ledger: Path, **more):
    async with (
        served(Address("127.0.0.1", 0), looked(ledger, **more)) as where,
        aiohttp.ClientSession(where.url) as session,
    ):
        yield session


async def post(session, what: str, status: int = 200, **values) -> dict | str:
    async with session.post(f"api/review/{what}", json=values) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json() if status == 200 else await answer.text()


def next_of(reviewer: str, **more) -> dict:
    return {"reviewer": reviewer, "order": "random", "wanted": {"campaign": 1}} | more


def about(pair: dict, reviewer: str, decision: str, **more) -> dict:
    names = ("campaign", "item", "question", "answer")
    return {name: pair[name] for name in names} | {
        "reviewer": reviewer,
        "decision": decision,
        **more,
    }


def kept(ledger: Path) -> list[tuple]:
    with closing(sqlite3.connect(ledger)) as database:
        return database.execute(
            "SELECT reviewer, answer, decision, correction, reason FROM reviews ORDER BY item_id"
        ).fetchall()


async def test_pairs_are_handed_out_and_decided(ledger):
    async with page(ledger) as session:
        told = (await post(session, "next", **next_of("Ada", count=3)))["pairs"]
        assert len(told) == 3
        [bos] = (await post(session, "next", **next_of("Bo")))["pairs"]
        assert bos["item"] not in {pair["item"] for pair in told}
        await post(session, "decide", **about(told[0], "Ada", "accepted"))
        await post(session, "decide", **about(told[1], "Ada", "corrected", correction="green"))
        undone = await post(session, "undo", reviewer="Ada", campaign=1)
        assert undone["pair"]["item"] in {told[0]["item"], told[1]["item"]}
        await post(session, "leave", reviewer="Ada")
        async with session.get("api/pairs?campaign=1&decision=none") as answer:
            assert len((await answer.json())["pairs"]) == 5
    assert len(kept(ledger)) == 1


async def test_what_others_said_is_kept_from_who_judges(ledger):
    async with page(ledger) as session:
        pairs = (await post(session, "next", **next_of("Ada", count=5)))["pairs"]
        await post(session, "decide", **about(pairs[0], "Ada", "rejected", reason="odd"))
        await post(session, "undo", reviewer="Ada", campaign=1)
        async with session.get("api/ledger") as answer:
            assert (await answer.json())["review"]["orders"][0] == "random"
        for pair in pairs:
            assert pair["reviews"] == []


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("next", {}),
        ("next", next_of("")),
        ("next", next_of("x" * 61)),
        ("next", next_of("a\nb")),
        ("next", next_of("Ada", order="best")),
        ("next", next_of("Ada", count=99)),
        ("next", next_of("Ada", wanted={})),
        ("next", next_of("Ada", wanted={"campaign": 1, "kind": "odd"})),
        ("decide", about(PAIR, "A", "odd")),
        ("decide", about(PAIR, "A", "rejected")),
        ("undo", {"reviewer": "Ada"}),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_in_one_line(ledger, what, values):
    async with page(ledger) as session:
        text = await post(session, what, 400, **values)
        assert text.count("\n") == 1
    assert kept(ledger) == []


async def test_other_sites_and_looks_alone_change_nothing(ledger):
    async with page(ledger) as session:
        headers = {"Sec-Fetch-Site": "cross-site"}
        async with session.post("api/review/leave", json={}, headers=headers) as answer:
            assert answer.status == 403
        async with session.post("api/review/leave", data="no json") as answer:
            assert answer.status == 400
        said = about(PAIR | {"item": 999}, "A", "accepted")
        assert "no such image" in await post(session, "decide", 404, **said)
    without = Looked(Desk(ledger), [])
    async with (
        served(Address("127.0.0.1", 0), without) as where,
        aiohttp.ClientSession(where.url) as session,
        session.post("api/review/leave", json={"reviewer": "Ada"}) as answer,
    ):
        assert answer.status in {404, 405}


async def test_a_busy_ledger_is_told_so_that_the_page_tries_again(ledger):
    async with page(ledger, busy_s=0.05) as session:
        [pair] = (await post(session, "next", **next_of("Ada")))["pairs"]
        with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await post(session, "decide", 503, **about(pair, "Ada", "accepted"))
            other.execute("ROLLBACK")
        await post(session, "decide", **about(pair, "Ada", "accepted"))
    assert len(kept(ledger)) == 1


async def test_people_decide_while_a_run_writes_the_same_ledger(stage):
    """The run holds the ledger's lock; neither it nor they fail, and both are kept."""
    campaign = await stage(latency={"mean_ms": 50})
    running = await campaign.start()
    await until_requests(campaign, 4)
    done = 0
    desk = Desk(campaign.ledger)
    at_work = Looked(
        desk, [campaign.catalog / "images/small"], Sitting(desk, SystemClock(), Draw())
    )
    async with (
        served(Address("127.0.0.1", 0), at_work) as where,
        aiohttp.ClientSession(where.url) as session,
        asyncio.timeout(60),
    ):
        beside = 0
        while True:
            was_running = running.returncode is None
            pairs = (await post(session, "next", **next_of("Ada")))["pairs"]
            if not pairs and not was_running:
                break
            for pair in pairs:
                await post(session, "decide", **about(pair, "Ada", "accepted"))
                done += 1
                beside += running.returncode is None
            await asyncio.sleep(0)
    assert (await running.wait(), done) == (0, 36)
    assert beside > 0
    assert len(kept(campaign.ledger)) == 36
    assert (await campaign.status())["progress"]["done"] == 12
    # Judging the replies again takes no verdict away.
    assert (await campaign.command("reparse")).code == 0
    assert len(kept(campaign.ledger)) == 36
    async with (
        served(Address("127.0.0.1", 0), at_work) as where,
        aiohttp.ClientSession(where.url) as session,
    ):
        assert (await post(session, "next", **next_of("Ada")))["pairs"] == []


async def test_the_command_serves_a_page_on_which_people_decide(ledger, capsys):
    tell_what_comes_next(ledger)
    assert capsys.readouterr().err == f"next: curator review --ledger {ledger}\n"
    words = ("--reviewer", "Ada", "--order", "disagreement", "--double", "0.5", "--seed", "3")
    process = await start_process("review", str(ledger), "--listen", "127.0.0.1:0", *words)
    [url] = re.findall(r"http://\S+", (await process.stdout.readline()).decode())
    async with aiohttp.ClientSession(url) as session:
        async with session.get("api/ledger") as answer:
            told = (await answer.json())["review"]
        assert (told["reviewer"], told["order"], told["double"]) == ("Ada", "disagreement", 0.5)
        [pair] = (await post(session, "next", **next_of("Ada")))["pairs"]
        await post(session, "decide", **about(pair, "Ada", "accepted"))
    process.send_signal(signal.SIGINT)
    told = await ended(process)
    assert told.code == 0
    assert told.err.endswith(f"next: curator export --ledger {ledger} --reviewed --out dataset\n")
    assert len(kept(ledger)) == 1


async def is_above(upper, lower) -> None:
    """Hold that ``upper`` is on the screen and nothing of it is under ``lower``."""
    first, second = await upper.bounding_box(), await lower.bounding_box()
    assert first["y"] >= 0
    assert first["y"] + first["height"] <= second["y"]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path")
async def test_a_person_judges_by_keyboard_in_a_browser(ledger):
    async_api = pytest.importorskip("playwright.async_api", reason="needs playwright")
    complaints: list[str] = []
    async with (
        served(Address("127.0.0.1", 0), looked(ledger)) as where,
        async_api.async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = await browser.new_page()
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda message: complaints.append(message.text))
        expect, press = async_api.expect, tab.keyboard.press
        await tab.goto(where.url)
        await tab.get_by_label("Your name").fill("Ada")
        await press("Enter")
        answer = tab.locator("#answer")
        seen = []

        async def at_next() -> None:
            if seen:
                await expect(answer).not_to_have_text(seen[-1])
            await expect(answer).to_have_text(re.compile(r"red\d"))
            seen.append(await answer.text_content())

        await at_next()
        await press("a")
        await at_next()
        # What is typed is no command.
        await press("c")
        await tab.keyboard.type("cars")
        await press("Enter")
        await at_next()
        await press("r")
        await press("4")
        await at_next()
        await press("r")
        await tab.keyboard.type("too 2 dark")
        await press("Enter")
        await at_next()
        await press("r")
        await press("Escape")
        await press("s")
        await at_next()
        await expect(tab.locator("#tally")).to_have_text("5 pairs by you since you sat down")
        await press("a")
        await expect(tab.locator("#over")).to_contain_text("Nothing is left")
        await press("u")
        await expect(answer).to_have_text(seen[-1])
        await expect(tab.locator("[data-act=accept]")).to_have_class(re.compile("was"))
        await press("?")
        await expect(tab.locator("#keys")).to_contain_text("undo what you decided last")
        await press("Escape")
        shown = await tab.locator("#frame img").bounding_box()
        await press("l")
        await expect(tab.locator("#large")).to_contain_text("Größer & Co")
        # Also that of a small file.
        assert (await tab.locator("#large img").bounding_box())["height"] > shown["height"]
        await press("Escape")
        # A telephone shows all that is needed, and nothing runs off its screen.
        await tab.set_viewport_size({"width": 360, "height": 600})
        assert await tab.evaluate("document.documentElement.scrollWidth") == 360
        await is_above(answer, tab.locator("#choices"))
        await tab.locator("[data-act=reject]").click()
        assert await tab.evaluate("document.documentElement.scrollWidth") == 360
        await is_above(answer, tab.locator("#rejecting"))
        await tab.get_by_text("the picture is no good").click()
        await expect(tab.locator("#over")).to_be_visible()
        await tab.get_by_role("link", name="Browse").click()
        await expect(tab.locator("#pairs")).to_contain_text("Ada corrected to cars")
        assert "taken" not in await tab.title()
        assert complaints == []
        await browser.close()
    said = {row[1]: row[2:] for row in kept(ledger)}
    assert [said[each] for each in seen] == [
        ("accepted", "", ""),
        ("corrected", "cars", ""),
        ("rejected", "", "unclear_question"),
        ("rejected", "", "too 2 dark"),
        ("skipped", "", ""),
        ("rejected", "", "bad_picture"),
    ]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path")
async def test_a_decision_that_cannot_be_written_now_is_kept_by_the_page(ledger):
    change(
        ledger,
        "INSERT INTO campaigns (id, annotator, models, prompt_version, questions, created_at) "
        "VALUES (2, 'gemini', '[]', '2-abc', 3, 1.0)",
    )
    async_api = pytest.importorskip("playwright.async_api", reason="needs playwright")
    async with (
        served(Address("127.0.0.1", 0), looked(ledger, "Ada", busy_s=0.05)) as where,
        async_api.async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = await browser.new_page()
        expect = async_api.expect
        is_found = asyncio.Event()

        async def found_late(route) -> None:
            await is_found.wait()
            await route.continue_()

        await tab.route("**/api/review/next", found_late)
        await tab.goto(where.url)
        # Whoever waits long for the first pair is told what takes so long.
        await expect(tab.locator("#over")).to_contain_text("among all of them")
        is_found.set()
        await expect(tab.locator("#answer")).to_have_text(re.compile(r"red\d"))
        await expect(tab.locator("#over")).to_be_hidden()
        with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await tab.keyboard.press("a")
            await expect(tab.locator("#unsaved")).to_contain_text("Not saved yet: 1")
            other.execute("ROLLBACK")
        await expect(tab.locator("#unsaved")).to_be_hidden()
        # Of several campaigns it is seen which one is judged.
        chosen = tab.get_by_label("campaign")
        await expect(chosen).to_be_visible()
        await expect(chosen).to_have_value("1")
        await browser.close()
    assert [row[2] for row in kept(ledger)] == ["accepted"]
