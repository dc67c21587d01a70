"""The status page: read-only aiohttp routes on this machine, open while a run works."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from shared.errors import InputError

StatusReader = Callable[[], Awaitable[dict[str, Any]]]

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>curator</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  table { border-collapse: collapse; margin: 1rem 0; width: 100% }
  th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884 }
  progress { width: 100%; height: 1.2rem }
</style>
<h1>curator</h1>
<main id="campaigns" aria-live="polite"></main>
<script>
const show = (parent, tag, text) => {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  return element;
};
const row = (table, tag, cells) => {
  const line = show(table, "tr");
  cells.forEach(cell => show(line, tag, cell));
};
const counts = object => Object.entries(object).map(([k, v]) => `${k} ${v}`).join(", ") || "none";
const draw = (main, c) => {
  const p = c.progress, settled = p.done + p.dead;
  show(main, "h2", `${c.model}, ${c.questions} questions`);
  const bar = show(main, "progress");
  bar.max = p.total || 1;
  bar.value = settled;
  const left = c.eta_s === null ? "" : `, about ${Math.ceil(c.eta_s / 60)} min left`;
  show(main, "p", `${settled} of ${p.total} settled (${p.dead} given up)` +
    `, ${c.rate_per_minute.toFixed(1)} a minute${left}`);
  const facts = show(main, "table");
  row(facts, "td", ["pairs", c.pairs]);
  row(facts, "td", ["rejected", counts(c.rejected_by_rule)]);
  row(facts, "td", ["requests", counts(c.attempts)]);
  row(facts, "td", ["tokens", counts(c.tokens)]);
  const keys = show(main, "table");
  row(keys, "th", ["key", "project", "requests", "state"]);
  const cooling = Object.fromEntries(c.cooling_down.map(one => [one.project, one.until]));
  c.keys.forEach(k => row(keys, "td", [k.label, k.project, counts(k.outcomes),
    k.removed_because ? `removed: ${k.removed_because}` : cooling[k.project]
      ? `until ${new Date(cooling[k.project] * 1000).toLocaleString()}` : "ready"]));
  if (!c.dead_letters.length) return;
  const dead = show(main, "table");
  row(dead, "th", ["given up", "image", "reason"]);
  c.dead_letters.forEach(d => row(dead, "td", [d.listing_id, d.image_path, d.reason]));
};
const refresh = async () => {
  const status = await (await fetch("api/status")).json();
  const main = document.getElementById("campaigns");
  main.replaceChildren();
  status.campaigns.forEach(campaign => draw(main, campaign));
};
refresh();
setInterval(refresh, 3000);
</script>
"""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the status page listens."""

    host: str
    port: int


def parse_address(text: str) -> Address:
    """Return the address in ``HOST:PORT``.

    Raises:
        InputError: not an address, or one that other machines can reach.
    """
    host, colon, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not colon or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004
        raise InputError(f"--status {text!r}: give HOST:PORT, such as 127.0.0.1:8765")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise InputError(
            f"--status {text!r}: the page has no password, so it stays on this machine; "
            "use 127.0.0.1 and an SSH tunnel"
        )
    return Address(host, int(port))


@asynccontextmanager
async def served(address: Address, read_status: StatusReader) -> AsyncIterator[Address]:
    """Serve the status page for the time of the block; yields where (port 0 picks one).

    Raises:
        InputError: the port is taken.
    """
    runner = web.AppRunner(_application(read_status), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            raise InputError(
                f"--status {address.host}:{address.port}: cannot listen there ({error.strerror})"
            ) from error
        yield Address(address.host, int(runner.addresses[0][1]))
    finally:
        await runner.cleanup()


def _application(read_status: StatusReader) -> web.Application:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def status(_: web.Request) -> web.Response:
        return web.json_response(await read_status())

    application = web.Application()
    application.add_routes(
        [web.get("/", page), web.get("/healthz", health), web.get("/api/status", status)]
    )
    return application
