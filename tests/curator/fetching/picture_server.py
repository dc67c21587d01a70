"""A shop's server of pictures on loopback, with the faults that such servers have."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from typing import Self

from aiohttp import web
from PIL import Image


def picture(colour: str = "red", kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(file, kind)
    return file.getvalue()


class PictureServer:
    """Serves ``/i/NAME`` and other paths by what they are called; counts what was asked."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.throttles = 0
        self.elsewhere = ""
        self.opened = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, self.host, 0)
        await self._site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.opened.set()
        await self._runner.cleanup()

    def url(self, path: str, host: str = "") -> str:
        return f"http://{host or self.host}:{self.port}/{path}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path_qs.lstrip("/")
        self.asked[path] += 1
        self.headers.append(dict(request.headers))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._by_name(request, path.partition("?")[0].rpartition("/")[2])
        finally:
            self.under_way -= 1

    async def _by_name(self, request: web.Request, name: str) -> web.StreamResponse:
        if name == "endless.jpg":
            return await self._endless(request)
        if name == "slow.jpg":
            self.waiting.release()
            await self.opened.wait()
        self._refuse(request, name)
        await asyncio.sleep(0)
        kind, body = self._content(request, name)
        return web.Response(body=body, content_type=kind)

    def _refuse(self, request: web.Request, name: str) -> None:
        if name == "busy.jpg" and self.throttles:
            self.throttles -= 1
            raise web.HTTPTooManyRequests(headers={"Retry-After": "7"})
        if name == "broken.jpg" and self.asked[f"i/{name}"] < 3:
            raise web.HTTPServiceUnavailable
        if name in {"moved.jpg", "loop.jpg"}:
            raise web.HTTPFound(self.elsewhere if name == "moved.jpg" else request.path_qs)
        match name:
            case "gone.jpg":
                raise web.HTTPNotFound
            case "down.jpg":
                raise web.HTTPInternalServerError
            case "later.jpg":
                raise web.HTTPTooManyRequests(headers={"Retry-After": "86400"})

    def _content(self, request: web.Request, name: str) -> tuple[str, bytes]:
        colour = request.query.get("colour", "red")
        others = {
            "page.jpg": ("text/html", b"<html>"),
            "liar.jpg": ("image/jpeg", b"<html>no</html>"),
            "cut.jpg": ("image/jpeg", picture()[:-200]),
            "large.jpg": ("image/jpeg", picture() + bytes(200_000)),
            "webp": ("image/webp", picture("blue", "WEBP")),
        }
        return others.get(name, ("image/jpeg", picture(colour)))

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(50_000))
        except ConnectionError:
            return response
