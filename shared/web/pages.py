"""What every site of ours has: the files of its page, the login with its icon, and its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from importlib.resources import files
from typing import Final

from aiohttp import web

from shared.value_class import value_class
from shared.web.access import Access, Handler
from shared.web.bodies import form_in

_HERE: Final = "shared.web"
_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


@value_class
class Login:
    """What a login says: the program, its button, what was started, and the token's variable."""

    program: str
    button: str
    started: str
    variable: str


def page_routes(package: str, names: Sequence[str]) -> list[web.RouteDef]:
    """Return the routes of files that lie in ``package``; ``page.html`` is the site's root."""
    paths = {name: "/" if name == "page.html" else f"/{name}" for name in names}
    return [web.get(path, _file(package, name)) for name, path in paths.items()]


def login_routes(access: Access, login: Login) -> list[web.RouteDef]:
    """Return the routes of the login and its stylesheet, and of the look and icon of all pages."""

    def form(complaint: str, status: int = 200) -> web.Response:
        text = _text(_HERE, "login.html")
        for name, value in {**asdict(login), "complaint": complaint}.items():
            text = text.replace(f"{{{name}}}", escape(value))
        return web.Response(text=text, content_type="text/html", status=status)

    async def show(_: web.Request) -> web.Response:
        return form("")

    async def log_in(request: web.Request) -> web.Response:
        token = (await form_in(request)).get("token", "")
        if not (isinstance(token, str) and access.is_token(token.strip())):
            return form("That is not the token.", status=401)
        response = web.Response(status=303, headers={"Location": "./"})
        access.log_in(response)
        return response

    return [
        web.get("/login", show),
        web.post("/login", log_in),
        *page_routes(_HERE, ["login.css", "look.css", "icon.svg"]),
    ]


async def health(_: web.Request) -> web.Response:
    """Answer whoever asks whether the site lives."""
    return web.json_response({"status": "ok"})


def _file(package: str, name: str) -> Handler:
    text = _text(package, name)
    content_type = _TYPES[name.rpartition(".")[2]]

    async def send(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return send


def _text(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")
