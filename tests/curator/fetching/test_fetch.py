from __future__ import annotations

import asyncio
import csv
from dataclasses import replace

import pytest

from curator.catalog import Skipped, open_catalog
from curator.fetching.failures import FailuresFile
from curator.fetching.fetch import fetch_pictures
from curator.fetching.guard import Guard, parse_networks
from curator.fetching.limits import FetchLimits
from curator.fetching.pictures import FetchedPictures
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import SystemClock
from tests.curator.fetching.picture_server import PictureServer, picture
from tests.fakes.jumping_clock import JumpingClock

HERE = Guard(parse_networks(["127.0.0.0/8"]))
LIMITS = FetchLimits(100_000, 5.0, 16, 4, guard=HERE)


@pytest.fixture
async def server():
    async with PictureServer() as started:
        yield started


@pytest.fixture
def fetching(tmp_path):
    """Fetch URLs to a folder; return the counts and each failure's reason."""

    async def fetch(urls, limits=LIMITS, clock=None, stop=None):
        pictures = FetchedPictures(tmp_path)
        lacking = [url for url in urls if not pictures.has(url)]
        with FailuresFile(tmp_path) as failures:
            counts = await fetch_pictures(
                lacking,
                pictures,
                limits,
                failures,
                stop=stop or AsyncStopSignal(),
                clock=clock or JumpingClock(),
            )
        return counts, reasons(tmp_path)

    return fetch


def reasons(folder):
    path = folder / "fetch_failures.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {row["url"].rpartition("/")[2]: row["reason"] for row in csv.DictReader(file)}


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


async def test_pictures_lie_where_a_run_finds_them_without_a_further_word(
    tmp_path, server, fetching
):
    urls = [
        server.url("a/1.jpg"),
        server.url("b/1.jpg?v=2"),
        server.url("b/1.jpg?v=3"),
        server.url("webp"),
        server.url("other?colour=red"),
        server.url("other?colour=blue"),
        server.url("with%20space/ä.jpg"),
    ]
    counts, failed = await fetching(urls)
    assert (counts.fetched, failed) == (7, {})
    assert not list(tmp_path.rglob("*.part*"))
    table = tmp_path / "goods.csv"
    table.write_text("id,image\n" + "\n".join(f"{n},{url}" for n, url in enumerate(urls)))
    skipped = Skipped()
    listings = list(open_catalog(table, tmp_path).listings(skipped))
    assert [one.listing_id for one in listings] == [str(n) for n in range(7)]
    assert len({one.image.path for one in listings}) == 7
    assert not skipped.counts
    blue = (tmp_path / listings[5].image.path).read_bytes()
    assert blue == picture("blue")


async def test_what_is_there_is_not_fetched_again(tmp_path, server, fetching):
    urls = [server.url("i/a.jpg"), server.url("webp"), server.url("i/gone.jpg")]
    await fetching(urls)
    (tmp_path / "b.jpg").write_bytes(picture())
    counts, _ = await fetching([*urls, server.url("i/b.jpg")])
    assert counts.fetched == 0
    assert server.asked == {"i/a.jpg": 1, "webp": 1, "i/gone.jpg": 2}


async def test_each_failure_is_told_with_its_reason_and_nothing_of_it_is_kept(
    tmp_path, server, fetching
):
    names = ("gone", "page", "liar", "cut", "large", "endless", "loop", "a")
    counts, failed = await fetching([server.url(f"i/{name}.jpg") for name in names])
    assert counts.fetched == 1
    assert counts.failed == 7
    assert failed["gone.jpg"] == "HTTP 404"
    assert failed["page.jpg"] == "is text/html, no picture"
    assert "text, such as a web page" in failed["liar.jpg"]
    assert "not a readable image" in failed["cut.jpg"]
    assert failed["large.jpg"].startswith("larger than")
    assert failed["endless.jpg"].startswith("larger than")
    assert failed["loop.jpg"] == "more than 5 redirects"
    assert files(tmp_path) == [f"127.0.0.1_{server.port}/i/a.jpg", "fetch_failures.csv"]


@pytest.mark.parametrize(
    "url", ["http://[", "http://127.0.0.1:x/a.jpg", "http:///a.jpg", "http://\ud800.example/a.jpg"]
)
async def test_what_is_no_url_is_told_and_not_tried_again(fetching, url):
    clock = JumpingClock()
    counts, _ = await fetching([url], clock=clock)
    assert (counts.fetched, counts.failed) == (0, 1)
    assert clock.time == JumpingClock().time


async def test_failures_of_the_past_are_gone_where_nothing_fails_any_more(
    tmp_path, server, fetching
):
    await fetching([server.url("i/gone.jpg")])
    assert (tmp_path / "fetch_failures.csv").exists()
    await fetching([server.url("i/a.jpg")])
    assert not (tmp_path / "fetch_failures.csv").exists()


async def test_a_server_that_is_broken_for_a_moment_is_asked_again(server, fetching):
    clock = JumpingClock()
    counts, failed = await fetching([server.url("i/broken.jpg")], clock=clock)
    assert (counts.fetched, failed) == (1, {})
    assert server.asked["i/broken.jpg"] == 3
    assert clock.time - JumpingClock().time >= 1


async def test_single_pictures_that_fail_do_not_keep_the_others_waiting(server, fetching):
    clock = JumpingClock()
    names = ("down.jpg", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    urls = [server.url(f"{n}/{name}") for n in range(40) for name in names]
    counts, failed = await fetching(urls, replace(LIMITS, at_once_a_host=1), clock)
    assert (counts.fetched, counts.failed) == (160, 40)
    assert len(failed) <= 40
    assert clock.time - JumpingClock().time < 300


async def test_a_server_that_wants_to_be_asked_less_is_waited_for_as_it_says(server, fetching):
    clock, server.throttles = JumpingClock(), 5
    counts, failed = await fetching([server.url("i/busy.jpg")], clock=clock)
    assert (counts.fetched, failed) == (1, {})
    assert clock.time - JumpingClock().time == pytest.approx(5 * 7, abs=1e-3)


async def test_a_host_that_wants_a_day_is_left_for_another_run(server, fetching):
    async with PictureServer("127.0.0.3") as other:
        urls = [server.url(f"{n}/later.jpg") for n in range(20)]
        counts, failed = await fetching([*urls, other.url("i/a.jpg")])
    assert (counts.fetched, counts.failed, counts.put_off) == (1, 0, 20)
    assert not failed
    assert sum(server.asked.values()) <= 4


async def test_a_host_that_is_down_is_not_asked_for_all_its_pictures(server, fetching):
    counts, failed = await fetching([server.url(f"{n}/down.jpg?{n}") for n in range(100)])
    assert counts.failed == 100
    assert sum(server.asked.values()) < 20
    assert set(failed.values()) <= {"HTTP 500", "127.0.0.1 does not answer"}


async def test_a_host_where_nobody_listens_is_told_as_such(server, fetching):
    url = f"http://127.0.0.5:{server.port}"
    counts, failed = await fetching([f"{url}/{n}.jpg" for n in range(30)])
    assert counts.failed == 30
    assert "127.0.0.5 does not answer" in failed.values()


async def test_only_few_requests_at_a_time_go_to_one_host(server, fetching):
    urls = [server.url(f"{n}/a.jpg") for n in range(60)]
    await fetching(urls, replace(LIMITS, at_once=16, at_once_a_host=3), SystemClock())
    assert 1 < server.most_under_way <= 3
    assert {"User-Agent", "Accept"} <= server.headers[0].keys()
    assert not {"Cookie", "Authorization", "Referer"} & server.headers[0].keys()


async def test_a_stop_finishes_what_is_under_way_and_leaves_the_rest(server, fetching):
    stop = AsyncStopSignal()
    urls = [server.url(f"{n}/slow.jpg") for n in range(10)]
    limits = replace(LIMITS, at_once_a_host=2)
    work = asyncio.ensure_future(fetching(urls, limits, SystemClock(), stop))
    for _ in range(2):
        await server.waiting.acquire()
    stop.request("test")
    server.opened.set()
    counts, failed = await work
    assert (counts.fetched, failed) == (2, {})
    counts, _ = await fetching(urls, limits)
    assert counts.fetched == 8
    assert set(server.asked.values()) == {1}


async def test_an_answer_that_never_comes_is_given_up(server, fetching):
    limits = replace(LIMITS, timeout_s=0.2)
    _, failed = await fetching([server.url("i/slow.jpg")], limits)
    assert failed == {"slow.jpg": "no whole answer within 0.2 s"}


async def test_a_folder_that_cannot_be_written_ends_the_work_with_its_name(
    tmp_path, server, fetching
):
    (tmp_path / f"127.0.0.1_{server.port}").write_text("a file")
    _, failed = await fetching([server.url("i/a.jpg")])
    assert failed["a.jpg"].startswith("no place for it")
    with pytest.raises(InputError, match="cannot be written"), FailuresFile(tmp_path / "none"):
        pass
