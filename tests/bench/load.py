"""Hundreds of connections to each site of ours at once, polite, slow and broken ones.

``python -m tests.bench.load --connections 300 --seconds 75``: tells for the status page of a run at
work, the review page and ``evaluator serve`` what was answered, how many slow clients were cut off,
how far memory grew after the first third, and the longest time in which the event loop stood still.
Every few seconds it says how far it is, and of each site what was seen as soon as that is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import aiohttp
import typer
from rich.console import Console
from rich.table import Table

from shared.program.clock import stopwatch
from tests.bench.asking import heartbeat
from tests.curator.review.ledgers import Row, filled_ledger

PAIRS: Final = 200
UNREAD: Final = 4_000
"""Requests for a site's page whose replies nobody reads; more than both sockets hold."""
STARTS_WITHIN_S: Final = 60.0
TELLS_EVERY_S: Final = 10.0
SETTLES_AFTER: Final = 3
"""After this part of the time memory is looked at first."""
_LOGIN: Final = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
NO_REQUESTS: Final = (
    b"hello\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    _LOGIN + b"Content-Encoding: gzip\r\n\r\nabc",
    _LOGIN + b"Content-Type: multipart/form-data\r\n\r\nabc",
)
_BUILD: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """A site: the command that serves it, its port, and what polite clients ask for."""

    name: str
    words: Sequence[str]
    port: int
    paths: Sequence[str]
    picture: Path | None = None
    """Sent with questions, where the site answers some."""


@dataclass
class Seen:
    """What came of it; memory in MB, stalls in seconds.

    ``own_stall_s`` is the longest that the site itself can have caused, by its CPU time.
    """

    replies: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)
    stall_s: float = 0.0
    own_stall_s: float = 0.0


async def polite(site: Site, seen: Seen, number: int) -> None:
    """Ask for one path after the other, over one connection."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as session:
        while True:
            path = site.paths[number % len(site.paths)]
            number += 1
            started = stopwatch()
            try:
                async with _asked(session, site, path) as answer:
                    await answer.read()
                    seen.replies[str(answer.status)] += 1
            except aiohttp.ClientError:
                seen.replies["cut"] += 1
            seen.slowest_s = max(seen.slowest_s, stopwatch() - started)
            await asyncio.sleep(0.2)


def _asked(
    session: aiohttp.ClientSession, site: Site, path: str
) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
    if path != "/answer" or site.picture is None:
        return session.get(path)
    form = aiohttp.FormData({"question": "What colour is it?"})
    form.add_field("image", site.picture.read_bytes(), filename="image.png")
    return session.post(path, data=form)


async def slow(site: Site, seen: Seen) -> None:
    """Send a request letter by letter."""
    while True:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        try:
            for letter in b"GET / HTTP/1.1\r\nX-Slow: " + b"a" * 1000:
                writer.write(bytes([letter]))
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:
            seen.replies["slow, cut"] += 1
        finally:
            writer.close()
        await asyncio.sleep(0.2)


async def unread(site: Site, seen: Seen) -> None:
    """Ask for more than fits on the way, and read nothing of it."""
    while True:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", site.port))
        _, writer = await asyncio.open_connection(sock=client)
        try:
            writer.write(
                f"GET {site.paths[0]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * UNREAD
            )
            while not writer.transport.is_closing():
                await writer.drain()
                await asyncio.sleep(1)
            seen.replies["unread, cut"] += 1
        except OSError:
            seen.replies["unread, cut"] += 1
        finally:
            writer.transport.abort()
        await asyncio.sleep(0.2)


async def broken(site: Site, seen: Seen) -> None:
    """Send what is no request."""
    while True:
        for text in NO_REQUESTS:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
                try:
                    writer.write(text)
                    status = (await reader.readline())[9:12].decode() or "cut"
                    seen.replies[f"no request: {status}"] += 1
                finally:
                    writer.close()
            await asyncio.sleep(0.2)


async def telling(site: Site, seen: Seen, seconds: float) -> None:
    """Say now and then how far it is."""
    started = stopwatch()
    while True:
        await asyncio.sleep(TELLS_EVERY_S)
        typer.echo(
            f"{site.name}: {stopwatch() - started:.0f} of {seconds:g} s; {_listed(seen.replies)}; "
            f"slowest reply {seen.slowest_s:.2f} s",
            err=True,
        )


def _listed(replies: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(replies.items()))


async def loaded(site: Site, folder: Path, connections: int, seconds: float) -> Seen:
    """Serve the site, load it for ``seconds``, end it, and return what was seen."""
    seen = Seen()
    beats = folder / f"{site.name}.json"
    async with _served(site, beats, folder) as process:
        started = asyncio.get_running_loop().time()
        clients = [asyncio.create_task(polite(site, seen, n)) for n in range(connections // 2)]
        clients += [asyncio.create_task(slow(site, seen)) for _ in range(connections // 4)]
        clients += [asyncio.create_task(unread(site, seen)) for _ in range(connections // 16)]
        clients += [asyncio.create_task(broken(site, seen)) for _ in range(connections // 4)]
        clients.append(asyncio.create_task(telling(site, seen, seconds)))
        first = seconds / SETTLES_AFTER
        for pause in (first, seconds - first):
            await asyncio.sleep(pause)
            seen.memory_mb.append(_memory_mb(process.pid))
        ended = asyncio.get_running_loop().time()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    for over, late_s, own_s in json.loads(beats.read_text()):
        if started < over < ended:
            seen.stall_s = max(seen.stall_s, late_s)
            seen.own_stall_s = max(seen.own_stall_s, own_s)
    return seen


@asynccontextmanager
async def _served(
    site: Site, beats: Path, folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    words = [sys.executable, "-P", str(heartbeat.__file__), str(beats), "-m", *site.words]
    with (folder / f"{site.name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *words, stdout=log, stderr=log, env=_environment()
        )
    try:
        async with aiohttp.ClientSession() as session:
            while process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{site.port}/healthz"):
                        break
                await asyncio.sleep(0.1)
        if process.returncode is not None:
            raise RuntimeError((folder / f"{site.name}.log").read_text()[-2000:])
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def _memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def sites(folder: Path, seconds: float) -> Iterator[list[Site]]:
    """Yield the sites, with a ledger for the review page and a run for the status page.

    The run asks a rehearsal, and is at work for ``seconds`` and the time until it is loaded.
    """
    images = folder / "images"
    rows = [Row(item, "What is its colour?", "red") for item in range(1, PAIRS + 1)]
    ledger = filled_ledger(folder / "pairs.db", rows, images=images)
    ports = [_free_port() for _ in range(4)]
    looked = ["/", "/page.js", "/api/pairs?campaign=1", "/pictures/7", "/thumbnails/9", "/healthz"]
    watched = ["/", "/page.js", "/api/status", "/api/newest", "/api/history", "/metrics"]
    review = ("curator", "review", str(ledger), "--listen", f"127.0.0.1:{ports[0]}")
    serve = ("evaluator", "serve", "--model", "blip-vqa-tiny", "--port", str(ports[1]))
    (folder / "keys.txt").write_text("AIzaSyKeyOfNobody0001\n", encoding="utf-8")
    run = (
        *("curator", "run", "--catalog", str(images), "--keys", str(folder / "keys.txt")),
        *("--ledger", str(folder / "run.db"), "--endpoint", f"http://127.0.0.1:{ports[3]}"),
        *("--model", "gemini-3.5-flash-lite", "--status", f"127.0.0.1:{ports[2]}"),
        *("--requests-per-minute", str(int(60 * PAIRS / (seconds + STARTS_WITHIN_S)))),
    )
    with _rehearsal(ports[3], folder):
        yield [
            Site("status", run, ports[2], watched),
            Site("review", review, ports[0], looked),
            Site("serve", serve, ports[1], ["/", "/answer", "/api/model"], images / "1.png"),
        ]


@contextmanager
def _rehearsal(port: int, folder: Path) -> Iterator[None]:
    words = [sys.executable, "-m", "curator", "rehearse", "--listen", f"127.0.0.1:{port}"]
    with (folder / "rehearsal.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=_environment())
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name != "GEMINI_API_KEYS"}
    return clean | {"PYTHONPATH": str(_BUILD)}


def _told(title: str, site: Site, lines: int, seen: Seen) -> Table:
    table, cells = Table(title=title), []
    for column, told in {
        "site": f"{site.name} ({lines} lines of log)",
        "replies": _listed(seen.replies),
        "slowest reply, s": f"{seen.slowest_s:.2f}",
        "memory, MB": " to ".join(f"{each:.0f}" for each in seen.memory_mb),
        "longest stall, ms": f"{seen.stall_s * 1000:.0f}",
        "of that its own, ms": f"{seen.own_stall_s * 1000:.0f}",
    }.items():
        table.add_column(column)
        cells.append(told)
    table.add_row(*cells)
    return table


def main(
    connections: Annotated[int, typer.Option(min=8, help="at once, to each site")] = 300,
    seconds: Annotated[float, typer.Option(min=3, help="of load, for each site")] = 75.0,
) -> None:
    """Load each site and print what was seen of it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with TemporaryDirectory() as name, ExitStack() as on_stage:
        folder = Path(name)
        (folder / "images").mkdir()
        for site in on_stage.enter_context(sites(folder, seconds)):
            seen = asyncio.run(loaded(site, folder, connections, seconds))
            lines = (folder / f"{site.name}.log").read_text().count("\n")
            table = _told(f"{connections} connections, {seconds:g} s", site, lines, seen)
            Console().print(table)


if __name__ == "__main__":
    typer.run(main)
