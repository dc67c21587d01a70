"""``curator fetch`` as it is typed: how it ends, and that a plan goes on with what it brought."""

from __future__ import annotations

import signal

import pytest

from tests.curator.campaigns import ended, start_process
from tests.curator.fetching.picture_server import PictureServer

KEY = "AIzaSyKeyNumberOne001"


@pytest.fixture
async def server():
    async with PictureServer() as started:
        yield started


@pytest.fixture
def shop(tmp_path, server):
    """A table with the pictures of these names, and a way to run a command on it."""

    def write(*names: str) -> str:
        rows = [f"{n},https://s.example/{n},{server.url(name)}" for n, name in enumerate(names)]
        (tmp_path / "goods.csv").write_text("\n".join(["sku,link,image_link", *rows]))
        return str(tmp_path / "goods.csv")

    return write


async def fetch(table: str, folder, *options: str):
    to = ("--to", str(folder / "pictures"), "--allow-private", "127.0.0.0/8")
    return await ended(await start_process("fetch", table, *to, *options))


async def test_what_is_fetched_is_planned_with_the_folder_alone(tmp_path, shop):
    table = shop("i/a.jpg", "i/b.jpg?v=1", "webp")
    done = await fetch(table, tmp_path)
    assert (done.code, done.err.count("Traceback")) == (0, 0), done.err
    assert "fetched 3, there before 0, failed 0, left 0" in done.out
    assert f"--images {tmp_path / 'pictures'}" in done.err.splitlines()[-1]
    (tmp_path / "keys.txt").write_text(KEY)
    arguments = ("--catalog", table, "--images", str(tmp_path / "pictures"))
    planned = await ended(
        await start_process("plan", *arguments, "--keys", str(tmp_path / "keys.txt"))
    )
    assert planned.code == 0
    assert "3 images" in planned.out
    assert "Left out" not in planned.out
    assert "fetched 0, there before 3" in (await fetch(table, tmp_path)).out


async def test_what_is_one_picture_is_asked_once(tmp_path, server, shop):
    done = await fetch(shop("i/a.jpg", "i/a.jpg#2", "i/a.jpg"), tmp_path)
    assert (done.code, server.asked) == (0, {"i/a.jpg": 1})


async def test_failures_end_with_1_and_a_file_and_the_next_try_takes_others_first(tmp_path, shop):
    table = shop("i/gone.jpg", "i/a.jpg", "i/b.jpg")
    done = await fetch(table, tmp_path, "--limit", "1")
    assert done.code == 1
    assert "1 HTTP 404" in done.out
    assert "fetched 0, there before 0, failed 1, left 2" in done.out
    assert "fetch_failures.csv tells which and why" in done.err
    done = await fetch(table, tmp_path, "--limit", "2")
    assert (done.code, "fetched 2," in done.out) == (0, True)


async def test_loopback_is_refused_without_a_word_of_the_user(tmp_path, server, shop):
    table = shop("i/a.jpg")
    done = await ended(await start_process("fetch", table, "--to", str(tmp_path / "pictures")))
    assert done.code == 1
    assert "none of the public internet (see --allow-private)" in done.out
    assert not server.asked


async def test_a_host_that_asks_for_a_day_ends_the_command_with_75(tmp_path, shop):
    done = await fetch(shop("i/a.jpg", "i/later.jpg"), tmp_path)
    assert done.code == 75
    assert "asks to be left alone" in done.err
    assert "fetched 1, there before 0, failed 0, left 1" in done.out


async def test_a_signal_ends_the_command_with_75_and_the_same_command_goes_on(
    tmp_path, server, shop
):
    table = shop("i/a.jpg", *(f"{n}/slow.jpg" for n in range(20)))
    to = ("--to", str(tmp_path / "pictures"), "--allow-private", "127.0.0.0/8")
    process = await start_process("fetch", table, *to, "--per-host", "2")
    for _ in range(2):
        await server.waiting.acquire()
    process.send_signal(signal.SIGTERM)
    server.opened.set()
    stopped = await ended(process)
    assert stopped.code == 75
    assert "the same command goes on" in stopped.err
    done = await fetch(table, tmp_path)
    assert done.code == 0
    assert set(server.asked.values()) == {1}


@pytest.mark.parametrize(
    ("table", "options", "part"),
    [
        ("sku,image\n1,a.jpg\n", (), "names no picture by URL"),
        ("sku,image\n1,https://a.example/a.jpg\n", ("--hosts", "https://a"), "names of hosts"),
        ("sku,image\n1,https://a.example/a.jpg\n", ("--columns", "image=x"), "no column 'x'"),
        ("sku,image\n1,https://a.example/a.jpg\n", ("--allow-private", "x"), "write a network"),
    ],
)
async def test_bad_input_ends_with_2_and_one_line(tmp_path, table, options, part):
    (tmp_path / "t.csv").write_text(table)
    to = ("--to", str(tmp_path / "pictures"))
    done = await ended(await start_process("fetch", str(tmp_path / "t.csv"), *to, *options))
    assert done.code == 2
    assert part in done.err
    assert done.err.count("\n") == 1


async def test_a_folder_of_pictures_has_nothing_to_fetch(tmp_path):
    (tmp_path / "a.jpg").touch()
    done = await ended(await start_process("fetch", str(tmp_path), "--to", str(tmp_path / "p")))
    assert done.code == 2
    assert "only tables name pictures by URL" in done.err
