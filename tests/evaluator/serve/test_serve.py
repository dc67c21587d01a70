"""`evaluator serve` over HTTP and in a browser: the answers are those of `evaluator predict`."""

import asyncio
import base64
import io
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import zlib
from contextlib import asynccontextmanager

import aiohttp
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from evaluator.__main__ import app
from evaluator.answering.replica import Replica
from evaluator.answering.sureness import Sureness
from evaluator.commands.predict import _announce
from evaluator.serve.batching import Batcher
from evaluator.serve.receiving import LARGEST_IMAGE_BYTES, LONGEST_QUESTION
from evaluator.serve.serving import ReceivingReplica
from evaluator.serve.site import application
from shared.program.cli import run_program
from shared.records import Question
from shared.web.access import Access, Address
from shared.web.listening import listening
from tests.evaluator.replicas import settings_for
from tests.models import QUESTIONS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "a-token-of-some-length"
pytestmark = pytest.mark.xdist_group("serve")  # its model is loaded once

NAMES = ("000.png", "001.png", "002.png")


@pytest.fixture(scope="module")
def replica(tiny_model, pictures) -> ReceivingReplica:
    return ReceivingReplica(settings_for(tiny_model, pictures[0]))


@pytest.fixture(scope="module")
def expected(tiny_model, pictures) -> dict[tuple[str, str], str]:
    """What ``predict`` answers: a replica that reads the images from their folder."""
    asked = [Question(f"{name}|{text}", text, name) for name in NAMES for text in QUESTIONS]
    replies = Replica(settings_for(tiny_model, pictures[0])).answer(asked)
    return {tuple(reply.question_id.split("|")): reply.answer for reply in replies}


@asynccontextmanager
async def site(replica, token=None, capacity=64, sureness=None):
    batcher = Batcher(replica.answer, batch_size=16, capacity=capacity)
    address = Address("127.0.0.1", 0, token)
    access = Access(address, "evaluator-serve")
    served = application(access, batcher, replica.facts, sureness)
    async with (
        batcher.working(),
        listening(served, address, "--host") as where,
        aiohttp.ClientSession(base_url=where.url) as session,
    ):
        yield session, batcher


def form(content: bytes, question: str) -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("image", io.BytesIO(content), filename="picture", content_type="image/png")
    data.add_field("question", question)
    return data


def in_json(content: bytes, question: str, prefix: str = "") -> dict[str, str]:
    return {"image": prefix + base64.b64encode(content).decode(), "question": question}


async def test_it_says_whether_it_is_sure(replica, pictures):
    content = (pictures[0] / NAMES[0]).read_bytes()
    told = []
    for threshold in (0.0, 1.0):
        async with (
            site(replica, sureness=Sureness(1.0, threshold)) as (session, _),
            session.post("/answer", data=form(content, QUESTIONS[0])) as answered,
        ):
            told.append(await answered.json())
    assert [answer["sure"] for answer in told] == [True, False]
    assert told[0]["chance"] == pytest.approx(told[0]["confidence"], abs=1e-3)


async def test_answers_equal_those_of_predict_and_come_in_batches(replica, pictures, expected):
    contents = {name: (pictures[0] / name).read_bytes() for name in NAMES}
    ways = (
        lambda content, text: {"data": form(content, text)},
        lambda content, text: {"json": in_json(content, text)},
        lambda content, text: {"json": in_json(content, text, "data:image/png;base64,")},
    )
    async with site(replica) as (session, batcher):

        async def ask(number: int, name: str, text: str) -> str:
            sent = ways[number % len(ways)](contents[name], text)
            async with session.post("answer", **sent) as response:
                assert response.status == 200, await response.text()
                value = await response.json()
                assert 0 <= value["confidence"] <= 1
                return value["answer"]

        pairs = list(expected)
        answers = await asyncio.gather(*(ask(n, *pair) for n, pair in enumerate(pairs)))
        assert dict(zip(pairs, answers, strict=True)) == expected
        assert batcher.batches < len(pairs)
        async with session.get("metrics") as response:
            families = text_string_to_metric_families(await response.text())
            samples = {s.name: s for family in families for s in family.samples}
        assert samples["evaluator_requests_total"].labels == {"status": "200"}
        assert samples["evaluator_requests_total"].value == len(pairs)
        async with session.get("healthz") as response:
            assert await response.json() == {"status": "ok"}


def bomb() -> bytes:
    """A PNG of 57 bytes that says it has 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def picture(side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "PNG")
    return buffer.getvalue()


GOOD = picture(64)
BAD_REQUESTS = {
    "no body": ({}, 415, "send multipart/form-data"),
    "plain text": ({"data": "what"}, 415, "send multipart/form-data"),
    "no image": ({"json": {"question": "what"}}, 400, "image: send"),
    "image is no file": ({"data": {"question": "what", "image": "x"}}, 415, "send multipart"),
    "not base64": ({"json": {"image": "%%%%", "question": "what"}}, 400, "not base64"),
    "not JSON": (
        {"data": "{", "headers": {"Content-Type": "application/json"}},
        400,
        "the body is not JSON",
    ),
    "nested JSON": (
        {"data": "[" * 100_000, "headers": {"Content-Type": "application/json"}},
        400,
        "the body is not JSON",
    ),
    "a list": ({"json": []}, 400, "image: send"),
    "no boundary": (
        {"data": "x", "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "not a form",
    ),
    "no question": ({"json": {"image": in_json(GOOD, "")["image"]}}, 400, "question: send a text"),
    "empty question": (lambda: {"data": form(GOOD, "  ")}, 400, "question: send a text"),
    "half a character": ({"json": in_json(GOOD, "what \ud83d")}, 400, "half of a character"),
    "long question": ({"json": in_json(GOOD, "x" * (LONGEST_QUESTION + 1))}, 400, "more than 1000"),
    "no picture": ({"json": in_json(b"%!PS-Adobe", "what")}, 415, "none of JPEG"),
    "cut picture": ({"json": in_json(GOOD[:60], "what")}, 400, "cannot be decoded"),
    "bomb": ({"json": in_json(bomb(), "what")}, 413, "pixels"),
    "many pixels": ({"json": in_json(picture(6_500), "what")}, 413, "pixels"),
    "large image": (
        lambda: {"data": form(b"x" * (LARGEST_IMAGE_BYTES + 1), "what")},
        413,
        "10 MiB",
    ),
    "large body": (
        lambda: {"data": form(b"x" * (2 * LARGEST_IMAGE_BYTES), "what")},
        413,
        "exceeded",
    ),
}


@pytest.fixture(scope="module")
def bad_answers(replica):
    """All of them through one server."""

    async def send() -> dict[str, tuple[int, str, str]]:
        got = {}
        async with site(replica) as (session, _):
            for name, (request, *_) in BAD_REQUESTS.items():
                sent = request() if callable(request) else request
                async with session.post("answer", **sent) as response:
                    got[name] = response.status, response.content_type, await response.text()
        return got

    return asyncio.run(send())


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_input_is_answered_by_a_code_and_a_reason_in_json(bad_answers, name):
    _, code, reason = BAD_REQUESTS[name]
    status, content_type, text = bad_answers[name]
    assert (status, content_type) == (code, "application/json")
    assert reason in json.loads(text)["error"]


async def test_a_full_queue_answers_503_with_the_time_to_come_back(replica):
    async with site(replica, capacity=1) as (session, _):

        async def ask() -> tuple[int, str | None]:
            async with session.post("answer", json=in_json(GOOD, "what")) as response:
                return response.status, response.headers.get("Retry-After")

        outcomes = await asyncio.gather(*(ask() for _ in range(30)))
        assert {status for status, _ in outcomes} == {200, 503}
        assert all(int(after) >= 1 for status, after in outcomes if status == 503)
        assert await ask() == (200, None)


async def test_a_token_is_asked_for_and_other_web_sites_may_not_ask(replica):
    async with site(replica, TOKEN) as (session, _):
        request = {"json": in_json(GOOD, "what")}
        async with session.post("answer", **request) as response:
            assert response.status == 401
            assert "Bearer TOKEN" in (await response.json())["error"]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with session.post("answer", headers=headers, **request) as response:
            assert response.status == 200
        async with session.get("healthz") as response:
            assert response.status == 200
    async with site(replica) as (session, _):
        for headers, code in (
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Origin": "http://elsewhere.example"}, 403),
            ({"Host": "elsewhere.example"}, 421),
            ({"Sec-Fetch-Site": "same-origin"}, 200),
        ):
            async with session.post("answer", headers=headers, **request) as response:
                assert response.status == code, headers


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--host", "0.0.0.0"], "--listen 0.0.0.0:0: others can reach this address"),
        (["--token", "short"], "EVALUATOR_TOKEN must have at least 16"),
        (["--model", "no/such/model"], "no such model folder"),
        (["--host", "192.0.2.77", "--token", TOKEN], "cannot listen there"),
    ],
)
def test_bad_options_are_one_line(tiny_model, arguments, reason, capsys):
    options = ["serve", "--model", str(tiny_model), "--quantize", "none", "--port", "0"]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [*options, *arguments])
    assert leaving.value.code == 2
    error = capsys.readouterr().err.strip()
    assert reason in error
    assert "\n" not in error


def test_that_its_port_is_taken_is_told_before_a_model_is_loaded(tmp_path, capsys):
    (tmp_path / "config.json").write_text('{"model_type": "blip"}')
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(SystemExit) as leaving:
            run_program(app, "evaluator", ["serve", "--model", str(tmp_path), "--listen", place])
    assert leaving.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"evaluator: --listen {place}: cannot listen there (another program")


@pytest.mark.slow
async def test_a_signal_ends_the_server_after_what_is_in_flight(tiny_model, pictures, expected):
    command = [sys.executable, "-m", "evaluator", "serve", "--model", str(tiny_model)]
    process = await asyncio.create_subprocess_exec(
        *command, "--quantize", "none", "--port", "0", stdout=subprocess.PIPE
    )
    try:
        said = (await process.stdout.readline()).decode()
        url = said.split(" answers at ")[1].split(";")[0]
        content = (pictures[0] / "000.png").read_bytes()
        async with aiohttp.ClientSession() as session:

            async def ask(text: str) -> str:
                async with session.post(f"{url}answer", data=form(content, text)) as response:
                    return (await response.json())["answer"]

            questions = list(QUESTIONS) * 5
            asking = [asyncio.create_task(ask(text)) for text in questions]
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            process.send_signal(signal.SIGTERM)
            outcomes = await asyncio.gather(*asking, return_exceptions=True)
        answers = dict(zip(questions, outcomes, strict=True))
        assert all(
            answers[text] == expected["000.png", text]
            for text in QUESTIONS
            if not isinstance(answers[text], Exception)
        )
        # What had reached the server was answered; only a connection not yet taken may be refused.
        assert all(isinstance(one, str | aiohttp.ClientConnectionError) for one in outcomes), (
            outcomes
        )
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path")
async def test_the_page_answers_in_a_browser(replica, pictures, expected, tmp_path):
    async_api = pytest.importorskip("playwright.async_api", reason="needs playwright")
    # Not `wait_for_function`: the page's security policy forbids the `eval` that it needs.
    expect = async_api.expect
    complaints: list[str] = []
    async with site(replica, TOKEN) as (session, _), async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        tab = await browser.new_page(viewport={"width": 800, "height": 900})
        tab.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        await tab.goto(str(session._base_url))
        await tab.fill("#token", TOKEN)
        await tab.click("button")
        await tab.wait_for_selector("#drop")
        await expect(tab.locator("#model")).not_to_be_empty()
        await tab.fill("#question", QUESTIONS[0])
        await tab.click("#ask")
        assert await tab.text_content("#error") == "Choose a picture first."
        await tab.set_input_files("#image", pictures[0] / "001.png")
        for count, text in enumerate(QUESTIONS[:2], start=1):
            await tab.fill("#question", text)
            await tab.click("#ask")
            await expect(tab.locator("#answers li")).to_have_count(count)
            said = await tab.text_content("#answers li b")
            assert said == (expected["001.png", text] or "(no answer)")
        await tab.screenshot(path=tmp_path / "page.png")
        (tmp_path / "bad.png").write_bytes(b"no picture")
        assert complaints == []
        await tab.set_input_files("#image", tmp_path / "bad.png")
        await tab.click("#ask")
        await expect(tab.locator("#error")).to_contain_text("none of JPEG")
        await browser.close()


def test_the_command_that_is_named_next_asks_where_answers_are_given(capsys):
    _announce("blip-vqa-tiny", Address("127.0.0.1", 8000).url)
    assert capsys.readouterr().err.endswith(" http://127.0.0.1:8000/answer\n")
