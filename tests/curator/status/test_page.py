"""The status page over HTTP, and in a browser where there is one."""

from __future__ import annotations

import asyncio
import io
import json
import random
import re
import shutil
import socket
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from curator.forecast.forecast import Forecast
from curator.judging.agreeing.agreement import Agreement
from curator.judging.drafts import Draft
from curator.judging.rules import RejectedDraft, Rule, Verdict
from curator.ledger import (
    Attempt,
    Campaign,
    CanaryDay,
    ItemChange,
    KeyRemoval,
    Ledger,
    OpinionCounts,
    Outcome,
    ProjectNews,
    Result,
    TokenUse,
    WorkItem,
    WorkState,
    migrate,
)
from curator.ledger.database.plain import changing
from curator.ledger.queue import catalogs
from curator.ledger.records.review import Decision, PairKey, Review
from curator.ledger.reviews.decisions import put
from curator.status.live import LiveReport
from curator.status.page import Address, Watched, parse_address, served
from curator.status.page.site import MOST_NEWEST
from curator.status.status import Standing, status_object
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.models.model_status import NO_STATUS, ModelStatus
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import Meter
from shared.endpoints.refusals.refusal import InvalidKey, RateLimited
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal
from shared.records import ImageRef, Listing
from tests.curator.ledger.ledgers import steps_of
from tests.curator.pictures import draw_picture
from tests.fakes.jumping_clock import JumpingClock

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "a-token-of-some-length"
EVIL = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
MODEL = "gemini-3.5-flash-lite"
KEYS = (
    Key("laptop", "p1", "AIzaSyStatusPageOne", Quota(rpm=10, rpd=250)),
    Key("desk", "p2", "AIzaSyStatusPageTwo", Quota(rpm=10, rpd=250)),
    Key("old", "p3", "AIzaSyStatusPageTri"),
)

ANSWERED_BY = {
    1: (MODEL, NO_STATUS),
    2: ("gemini-3.8-flash", ModelStatus("DEPRECATED", 1_900_000_000.0)),
    7: ("gemini-3.8-flash", NO_STATUS),
}


@dataclass
class Stage:
    """A run of nine items by hand: what the daemon would tell its live report."""

    watched: Watched
    pool: KeyPool
    items: list[WorkItem]

    @property
    def clock(self) -> JumpingClock:
        return self.watched.clock

    async def ask(
        self, item: WorkItem, outcome: Outcome, verdict: Verdict | None = None, model: str = MODEL
    ) -> None:
        lease = await self.pool.lease({MODEL: 100})
        lease = replace(lease, meter=Meter(lease.key.project, model))
        key = lease.key
        self.clock.time += 2.0
        ledger, live = self.watched.ledger, self.watched.live
        number = ledger.new_attempt_id()
        attempt = Attempt(
            number, 1, item.item_id, key.fingerprint, key.project, model,
            self.clock.time, 100,
        )  # fmt: skip
        await ledger.begin(attempt)
        live.begun(lease)
        state = {Outcome.ANSWERED: WorkState.DONE, Outcome.BAD_REQUEST: WorkState.DEAD}.get(outcome)
        reason = "" if outcome is Outcome.ANSWERED else f"{outcome}: {EVIL}"
        change = None if state is None else ItemChange(1, item.item_id, state, 1, reason)
        spent = TokenUse(300, 50, 9) if verdict else TokenUse()
        version, status = ANSWERED_BY.get(item.item_id if verdict else 0, ("", NO_STATUS))
        result = Result(
            number,
            self.clock.time,
            outcome,
            reason,
            spent,
            change=change,
            verdict=verdict,
            model_version=version,
            model_status=status,
        )
        await ledger.finish(result)
        live.finished(result, item.listing, lease)


def verdict_on(item: WorkItem) -> Verdict:
    number = item.item_id
    return Verdict(
        accepted=(
            Draft(f"What is the colour of thing {number}?", "red", "easy"),
            Draft(f"What is it made of, {EVIL}?", "wood", "hard"),
        ),
        rejected=(RejectedDraft(Draft("What is this?", "cannot tell", "easy"), Rule.REFUSAL),),
        agreements=(Agreement.AGREES, Agreement.DISAGREES),
    )


@pytest.fixture(scope="module")
def empty_ledger(tmp_path_factory) -> Path:
    """A new ledger, to be copied: making one takes a second."""
    path = tmp_path_factory.mktemp("ledger") / "l.db"
    migrate(path)
    return path


@pytest.fixture
async def stage(tmp_path, empty_ledger):
    clock, stop = JumpingClock(), AsyncStopSignal()
    names = [f"{number:03}.png" for number in range(8)] + ["../outside.png"]
    for number, name in enumerate(names):
        draw_picture(tmp_path / "images" / name, number, size=700)
    (tmp_path / "images" / names[6]).write_bytes(b"broken")
    listings = [
        Listing(f"B{number} {EVIL}", ImageRef(name, name), {}) for number, name in enumerate(names)
    ]
    shutil.copy(empty_ledger, tmp_path / "l.db")
    async with Ledger.opened(tmp_path / "l.db") as ledger:
        await ledger.add_catalog("c", None, "images", listings, clock.now())
        await ledger.enrol(Campaign((AskedModel(MODEL),), "v", 10), clock.now())
        await ledger.remember_keys(KEYS, clock.now())
        pool = KeyPool(
            KEYS, [AskedModel(MODEL)], clock=clock, stop=stop, on_exhausted=OnExhausted.STOP,
            rng=random.Random(0), use={}, records={},
        )  # fmt: skip
        [before] = await ledger.reports(clock.now())
        history = await ledger.history(1, clock.now())
        live = LiveReport(before, history, pool=pool, now=clock.now())
        watched = Watched(live, ledger, tmp_path / "images", clock)
        yield Stage(watched, pool, await ledger.pending(1, 0, 100))


async def play(stage: Stage) -> None:
    """Three answers, a failure, a dead letter, a key that goes and a project that cools down."""
    for item in stage.items[:3]:
        await stage.ask(item, Outcome.ANSWERED, verdict_on(item))
    await stage.ask(stage.items[3], Outcome.UNAVAILABLE)
    await stage.ask(stage.items[4], Outcome.BAD_REQUEST)
    stage.pool.remove(KEYS[2], InvalidKey("API_KEY_INVALID"))
    await stage.watched.ledger.remember(
        KeyRemoval(KEYS[2].fingerprint, "API_KEY_INVALID", stage.clock.time)
    )
    lease = await stage.pool.lease({MODEL: 100})
    refusal = RateLimited("429", window=Window.DAY, retry_after_s=None, limits=Quota(rpd=20))
    record = stage.pool.cool_down(lease, refusal)
    stage.pool.give_back(lease)
    await stage.watched.ledger.remember(ProjectNews(record, stage.clock.time))
    stage.watched.live.forecast = Forecast(stage.clock.time + 5_000)


@asynccontextmanager
async def page(stage: Stage, token: str | None = None, headers: dict[str, str] | None = None):
    async with (
        served(Address("127.0.0.1", 0, token), stage.watched) as where,
        aiohttp.ClientSession(where.url, headers=headers) as session,
    ):
        yield session


async def read_json(session: aiohttp.ClientSession, path: str) -> dict:
    async with session.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        return await answer.json()


async def test_the_live_figures_are_those_of_the_ledger(stage):
    await play(stage)
    now = stage.clock.time
    async with page(stage) as session:
        [shown] = (await read_json(session, "api/status"))["campaigns"]
        assert await read_json(session, "healthz") == {"status": "ok"}
    [report] = await stage.watched.ledger.reports(now)
    [kept] = status_object([Standing(report, stage.watched.live.forecast)], now)["campaigns"]
    assert shown.pop("last_errors").keys() == {"bad_request", "unavailable"}
    assert kept.pop("last_errors") == {}
    # The rate is over slightly different spans: since the start here, since the first reply there.
    assert shown.pop("rate_per_minute") == pytest.approx(kept.pop("rate_per_minute"), rel=0.5)
    assert shown == json.loads(json.dumps(kept))
    assert shown["progress"] == {"pending": 5, "done": 3, "dead": 1, "total": 9}
    assert shown["eta_s"] == 5_000
    assert (len(shown["replies_by_model"]), shown["replies_of_other_models"]) == (2, 1)
    assert [end["at"] for end in shown["retirements"]] == [1_900_000_000.0]
    states = {key["label"]: key["state"] for key in shown["keys"]}
    assert sorted(states.values()) == ["cooling down", "ready", "removed"]
    assert states["old"] == "removed"


async def test_what_people_found_out_is_told(stage, tmp_path):
    await play(stage)
    async with page(stage) as session:
        assert (await read_json(session, "api/status"))["reviews"] == []
        items = await stage.watched.ledger.pages.newest(1, 9)
        item = next(item for item in items if item.pairs)
        pair = next(pair for pair in item.pairs if not pair.rule)
        key = PairKey(item.item_id, pair.question, pair.answer)
        with changing(tmp_path / "l.db") as connection:
            put(connection, [Review(key, "Mia", Decision.REJECTED, 9.0, reason="wrong_answer")])
        [told] = (await read_json(session, "api/status"))["reviews"]
    assert (told["campaign"], told["judged"], told["outcomes"]["rejected"]) == (1, 1, 1)
    assert told["sample"]["label_error"].keys() == {"pairs", "share", "ci95"}
    assert told["in_words"].startswith("1 judged (1 rejected)")


async def test_the_newest_images_come_with_every_verdict(stage):
    await play(stage)
    async with page(stage) as session:
        items = (await read_json(session, "api/newest?limit=2"))["items"]
        assert [item["item"] for item in items] == [3, 2]
        assert items[0]["key"] in {key.label for key in KEYS}
        verdicts = [(pair["rule"], pair["agreement"]) for pair in items[0]["pairs"]]
        assert verdicts == [("", "agrees"), ("", "disagrees"), ("refusal", "")]
        for limit in ("0", "-1", "x", str(MOST_NEWEST + 1)):
            async with session.get(f"api/newest?limit={limit}") as answer:
                assert answer.status == 400


async def test_the_course_of_the_run_is_told(stage):
    await play(stage)
    async with page(stage) as session:
        told = await read_json(session, "api/history")
    assert sum(one["answered"] for one in told["bins"]) == 3
    assert sum(one["failed"] for one in told["bins"]) == 2
    again = await stage.watched.ledger.history(1, stage.clock.time)
    assert sum(one.answered for _, one in again.bins(stage.clock.time)) == 3


async def test_metrics_are_read_by_prometheus_own_parser(stage):
    await play(stage)
    async with page(stage) as session, session.get("metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["curator_items", "done"] == 3
    assert samples["curator_other_model_replies_total",] == 1
    assert samples["curator_model_retirement_timestamp_seconds", MODEL] == 1_900_000_000.0
    assert samples["curator_tokens_total", "input"] == 900
    assert samples["curator_rejected_pairs_total", "refusal"] == 3
    requests = {name: n for name, n in samples.items() if name[0] == "curator_requests_total"}
    assert sum(requests.values()) == 5
    assert samples["curator_key_state", "old", "removed"] == 1
    assert samples["curator_end_timestamp_seconds",] == stage.clock.time + 5_000
    assert sum(n for name, n in samples.items() if "requests_today" in name[0]) <= 5


async def test_canaries_are_on_the_page_and_in_the_metrics(stage):
    await play(stage)
    days = ({}, *[dict.fromkeys(range(20), True)] * 3, dict.fromkeys(range(20), False))
    stage.watched.live.canaries_asked(
        tuple(
            CanaryDay(model, f"2026-01-0{number}", 20, 20, equal, model)
            for model in ("no-more", MODEL)
            for number, equal in enumerate(days, start=1)
        )
    )
    async with page(stage) as session:
        [shown] = (await read_json(session, "api/status"))["campaigns"]
        async with session.get("metrics") as answer:
            lines = (await answer.text()).splitlines()
    _, told = shown["canaries"]["models"]
    assert (told["equal"], told["compared"], told["usual_share"]) == (0, 20, 1.0)
    assert (told["is_alarm"], told["changed_on"]) == (True, "2026-01-05")
    assert [day["equal"] for day in shown["canaries"]["days"]] == [0, 20, 20, 20, 0] * 2
    assert not any("no-more" in line for line in lines)
    assert f'curator_canary_alarm{{model="{MODEL}"}} 1.0' in lines
    assert f'curator_canary_equal_ratio{{model="{MODEL}"}} 0.0' in lines
    assert f'curator_canary_usual_equal_ratio{{model="{MODEL}"}} 1.0' in lines
    assert f'curator_canary_answers_total{{model="{MODEL}"}} 100.0' in lines


async def test_thumbnails_are_small_and_come_from_the_images_folder_only(stage):
    async with page(stage) as session:
        async with session.get("thumbnails/1") as answer:
            assert answer.content_type == "image/jpeg"
            with Image.open(io.BytesIO(await answer.read())) as image:
                assert max(image.size) == 320
        # A broken one, one outside the folder, one that is not there, and what is no number.
        for name in ("7", "9", "99", "0", "..%2f..%2fl.db", "1.png"):
            async with session.get(f"thumbnails/{name}") as answer:
                assert answer.status == 404
        for path in ("page.py", "../site.py", "%2e%2e/site.py", "static/../../l.db"):
            async with session.get(path) as answer:
                assert answer.status == 404


async def test_every_answer_forbids_what_the_page_does_not_need(stage):
    async with page(stage) as session:
        for path in (
            "",
            "page.css",
            "page.js",
            "chart.js",
            "moment.js",
            "icon.svg",
            "api/status",
            "nowhere",
        ):
            async with session.get(path) as answer:
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"] or (
                    answer.status == 404
                )
                if answer.status != 404:
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"


HOSTS = {
    **dict.fromkeys(("127.0.0.1:9", "localhost:1234", "localhost", "[::1]:80"), 200),
    **dict.fromkeys(("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""), 421),
    "192.168.0.7:80": 421,
}


async def test_a_name_that_was_pointed_here_is_turned_away(stage):
    async with page(stage) as session:
        for host, status in HOSTS.items():
            for path in ("", "api/status", "metrics", "healthz", "thumbnails/1"):
                async with session.get(path, headers={"Host": host}) as answer:
                    assert (host, path, answer.status) == (host, path, status)


async def test_a_token_is_asked_for_as_a_header(stage):
    async with page(stage, TOKEN) as session:
        for path in ("api/status", "api/history", "api/newest", "metrics", "thumbnails/1"):
            for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
                async with session.get(path, headers=header) as answer:
                    assert answer.status == 401
                    assert TOKEN not in await answer.text()
            given = {"Authorization": f"Bearer {TOKEN}", "Host": "curator.example"}
            async with session.get(path, headers=given) as answer:
                assert answer.status == 200
        async with session.get("healthz") as answer:
            assert answer.status == 200


async def test_a_login_lets_a_browser_in_and_keeps_the_token_to_itself(stage):
    async with page(stage, TOKEN) as session:
        async with session.get("") as answer:
            assert answer.url.path == "/login"
            assert "CURATOR_STATUS_TOKEN" in await answer.text()
        async with session.post("login", data={"token": "wrong"}) as answer:
            assert answer.status == 401
            assert "not the token" in await answer.text()
        async with session.post("login", data={"token": TOKEN}, allow_redirects=False) as answer:
            assert answer.status == 303
            cookie = answer.headers["Set-Cookie"]
            assert TOKEN not in cookie
            assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
        name, _, value = cookie.partition(";")[0].partition("=")
        jar = {"Cookie": f"{name}={value}"}
        async with session.get("api/status", headers=jar) as answer:
            assert answer.status == 200
        async with session.get("api/status", headers={"Cookie": f"{name}={value[:-1]}"}) as answer:
            assert answer.status == 401
    # A run that goes on with the same token knows the browser still; another token does not.
    async with (
        page(stage, TOKEN) as session,
        session.get("api/status", headers=jar) as answer,
    ):
        assert answer.status == 200
    async with (
        page(stage, f"{TOKEN}2") as session,
        session.get("api/status", headers=jar) as answer,
    ):
        assert answer.status == 401


async def test_a_port_that_is_taken_is_bad_input(stage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(InputError, match=r"another program listens there.*free port"):
            async with served(address, stage.watched):
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
    assert parse_address(text, "").token is None


@pytest.mark.parametrize("text", ["0.0.0.0:1", "192.168.1.4:80", "[::]:80", "a.b:7"])
def test_other_addresses_need_a_token(text):
    with pytest.raises(InputError, match=r"--status .*CURATOR_STATUS_TOKEN"):
        parse_address(text)
    address = parse_address(text, TOKEN)
    assert address.token == TOKEN
    assert TOKEN not in repr(address)


@pytest.mark.parametrize("text", ["8765", "localhost:x", "localhost:70000", "localhost:-1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match="--status"):
        parse_address(text)


@pytest.mark.parametrize("token", ["short", "spaces in it are not wanted", "ümlauts-are-no-header"])
def test_a_token_that_can_be_guessed_or_not_sent_is_refused(token):
    with pytest.raises(InputError, match="at least 16") as refused:
        parse_address("0.0.0.0:80", token)
    assert token not in str(refused.value)


def test_the_page_is_accessible_in_its_structure():
    folder = Path(__file__).parents[3] / "curator/status/page"
    text = (folder / "page.html").read_text(encoding="utf-8")
    assert text.count("<h1") == 1
    assert '<html lang="en">' in text
    assert set(re.findall(r'aria-labelledby="([^"]+)"', text)) <= set(
        re.findall(r'id="([^"]+)"', text)
    )
    assert len(re.findall(r"<th[ >]", text)) == len(re.findall(r"<th scope=", text))
    for name in ("page.html", "page.css", "page.js", "chart.js", "moment.js"):
        found = (folder / name).read_text(encoding="utf-8")
        assert not re.search(r"(?<!www\.w3\.org/2000/svg)https?://(?!www\.w3\.org)|@import", found)
        assert "innerHTML" not in found


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path")
async def test_the_page_works_in_a_browser(stage):
    async_api = pytest.importorskip("playwright.async_api", reason="needs playwright")
    await play(stage)
    stage.watched.live.chosen(OpinionCounts(waiting=2, agrees=3, disagrees=1))
    complaints: list[str] = []
    address = Address("127.0.0.1", 0, TOKEN)
    async with served(address, stage.watched) as where, async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = await browser.new_page(color_scheme="dark")
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: complaints.append(request.url)
               if not request.url.startswith(where.url) else None)  # fmt: skip
        await tab.goto(where.url)
        await tab.get_by_label("Token").fill(TOKEN)
        await tab.get_by_role("button").click()
        tab.on("console", lambda message: complaints.append(message.text))
        expect = async_api.expect
        await expect(tab.locator("#settled")).to_have_text("4 of 9 images")
        await expect(tab.locator("#left")).to_have_text("1 h 23 min left")
        bar = tab.get_by_role("progressbar")
        assert await bar.get_attribute("aria-valuenow") == "4"
        await expect(tab.locator("#keys tr")).to_have_count(3)
        await expect(tab.locator("#keys")).to_contain_text("removed: API_KEY_INVALID")
        await expect(tab.locator("#replies")).to_contain_text("75.0 % of those answered agree")
        await expect(tab.locator("#replies tr").first).to_contain_text("forms")
        await expect(tab.locator("#spending th[scope=row]")).to_have_text(
            [MODEL, MODEL, f"{MODEL}, answered by gemini-3.8-flash"]
        )
        await expect(tab.locator("#newest > li")).to_have_count(3)
        first = tab.locator("#newest > li").first
        await expect(first).to_contain_text("agrees with listing")
        await expect(first).to_contain_text("rejected: refusal")
        await expect(tab.locator("#dead tr")).to_have_count(1)
        await expect(tab.locator("#chart svg rect").first).to_be_attached()
        # What the catalogue and the server said is text, and nothing but text.
        await expect(first).to_contain_text("<script>document.title")
        assert "taken" not in await tab.title()
        # Not `wait_for_function`: the page's security policy forbids the `eval` that it needs.
        decoded = (
            "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
        )
        assert len(await tab.evaluate(decoded)) == 3
        # It moves on by itself, and nothing runs off a telephone's screen.
        await stage.ask(stage.items[5], Outcome.ANSWERED, verdict_on(stage.items[5]))
        await expect(tab.locator("#settled")).to_have_text("5 of 9 images")
        # Who answers for one model may be asked by its own name as well.
        await stage.ask(
            stage.items[6], Outcome.ANSWERED, verdict_on(stage.items[6]), "gemini-3.8-flash"
        )
        await expect(tab.locator("#spending th[scope=row]").last).to_have_text("gemini-3.8-flash")
        await tab.set_viewport_size({"width": 390, "height": 800})
        assert await tab.evaluate("document.documentElement.scrollWidth") == 390
        assert complaints == []
        await asyncio.sleep(0)
        await browser.close()


async def test_what_the_page_asks_the_ledger_goes_by_an_index(stage):
    """Its cost does not grow with the catalogue; the rest comes from memory."""
    await play(stage)
    asked: list[tuple[str, tuple]] = []
    engine = stage.watched.ledger.pages._engine.sync_engine

    @event.listens_for(engine, "before_cursor_execute")
    def listen(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    async with page(stage) as session:
        for path in ("api/status", "api/history", "metrics", "thumbnails/1"):
            async with session.get(path) as answer:
                assert answer.status == 200
        assert asked == []
        await read_json(session, "api/newest")
    assert len(asked) >= 3
    event.remove(engine, "before_cursor_execute", listen)
    path = stage.watched.images_dir.parent / "l.db"
    [step] = steps_of(path, catalogs.image_path, 1)
    assert step.startswith("SEARCH")
    with closing(sqlite3.connect(path)) as database:
        for statement, parameters in asked:
            plan = database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps = [step for *_, step in plan]
            assert [step for step in steps if step.startswith("SCAN")] == [], statement
