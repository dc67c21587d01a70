"""What the sites have in common: the login in its own words, the icon, files by their type."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import pytest
from aiohttp import ClientSession, web

from shared.web.access import Access, Address, add_headers
from shared.web.listening import listening
from shared.web.pages import Login, health, login_routes, page_routes

TOKEN = "a-token-of-some-length"
LOGIN = Login("taster", "Taste <it>", "the pot", "TASTER_TOKEN")


@asynccontextmanager
async def site() -> AsyncIterator[ClientSession]:
    address = Address("127.0.0.1", 0, TOKEN)
    access = Access(address, "taster")
    application = web.Application(middlewares=[access.guard()])
    application.on_response_prepare.append(add_headers)
    application.add_routes(
        [
            *page_routes("evaluator.serve", ["page.html", "page.js"]),
            *login_routes(access, LOGIN),
            web.get("/healthz", health),
        ]
    )
    async with listening(application, address, "--at") as where, ClientSession(where.url) as client:
        yield client


async def test_the_login_says_what_it_is_for_and_every_word_is_escaped():
    async with site() as client, client.get("") as answer:
        assert answer.url.path == "/login"
        text = await answer.text()
    assert "<title>taster: log in</title>" in text
    assert "<button>Taste &lt;it&gt;</button>" in text
    assert "that the pot was started with (<code>TASTER_TOKEN</code>)" in text
    assert not re.search(r"\{\w+\}", text)


async def test_a_wrong_token_is_told_and_the_right_one_lets_in():
    async with site() as client:
        async with client.post("login", data={"token": "wrong"}) as answer:
            assert answer.status == 401
            assert "That is not the token." in await answer.text()
        async with client.get("page.js") as answer:
            assert answer.status == 401
        async with client.post("login", data={"token": TOKEN}, allow_redirects=False) as answer:
            assert answer.status == 303
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        async with client.get("page.js", headers={"Cookie": cookie}) as answer:
            assert (answer.status, answer.content_type) == (200, "text/javascript")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("login.css", "text/css"), ("icon.svg", "image/svg+xml"), ("healthz", "application/json")],
)
async def test_what_a_login_needs_is_open_to_everyone(path, content_type):
    async with site() as client, client.get(path) as answer:
        assert (answer.status, answer.content_type) == (200, content_type)


def test_the_login_loads_nothing_from_elsewhere():
    for name in ("login.html", "login.css"):
        text = files("shared.web").joinpath(name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|@import", text)
