"""``generateContent``, ``countTokens`` and looks at a model, of the developer API."""

from __future__ import annotations

from aiohttp import web

from curator.rehearsal.answers.replying import Ruling
from curator.rehearsal.doors.desk import Desk
from curator.rehearsal.doors.door import VERSION, body_of, json_reply, key_of, telling
from curator.rehearsal.judge import Asked, Judge
from curator.rehearsal.tally import RehearsalTally
from curator.rehearsal.words.replies import token_count


class GeminiDoor:
    """Answers those who come with a key."""

    def __init__(self, judge: Judge, tally: RehearsalTally, desk: Desk) -> None:
        self._judge = judge
        self._tally = tally
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered here."""
        model = f"/{VERSION}/models/{{model}}"
        return [
            web.post(f"{model}:generateContent", self._generate_content),
            web.post(f"{model}:countTokens", telling(self._count_tokens)),
            web.get(model, self._look_up),
        ]

    async def _generate_content(self, request: web.Request) -> web.StreamResponse:
        key = key_of(request, self._judge)
        return await self._desk.serve(
            request, key, lambda body: _asked(request, body), lambda ruling: ruling.reply
        )

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        key = key_of(request, self._judge)
        earlier = self._tally.called(key.label, key.project, "count_tokens")
        asked = _asked(request, await body_of(request))
        counted = self._judge.counted(key, earlier, asked)
        return json_reply(counted.reply if isinstance(counted, Ruling) else token_count(counted))

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        key = key_of(request, self._judge)
        earlier = self._tally.looked_up(key.label)
        reply = self._judge.look_up(
            key, earlier, version=request.match_info["version"], model=request.match_info["model"]
        )
        return json_reply(reply)


def _asked(request: web.Request, body: bytes) -> Asked:
    return Asked(request.match_info["model"], body, request.match_info["version"])
