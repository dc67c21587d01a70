"""Hands a request for content to the judge, waits as long as a model would, sends the ruling."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from aiohttp import web

from curator.rehearsal.answers.replying import Delivery, Ruling, malformed
from curator.rehearsal.doors.door import TOO_LARGE, Received, json_bytes, keep
from curator.rehearsal.inbound import ServiceTier
from curator.rehearsal.judge import Asked, Judge
from curator.rehearsal.key_ring import RehearsedKey
from curator.rehearsal.tally import RehearsalTally
from curator.rehearsal.words.replies import WireReply
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.value_class import value_class

TIER_HEADER: Final = "x-gemini-service-tier"
log = EventLog(__name__)


@value_class
class Latency:
    """How long a reply takes in seconds: ``mean_s``, give or take ``jitter_s``.

    ``slow_s`` is what the fault "slow" adds.
    """

    mean_s: float = 0.0
    jitter_s: float = 0.0
    slow_s: float = 30.0

    def draw(self, die: random.Random) -> float:
        """Return the seconds of one reply."""
        return max(0.0, self.mean_s + self.jitter_s * die.uniform(-1.0, 1.0))


class Desk:
    """Where both doors bring their requests for content."""

    def __init__(
        self,
        *,
        judge: Judge,
        tally: RehearsalTally,
        latency: Latency,
        flex_latency: Latency,
        die: random.Random,
        clock: Clock,
        record: Callable[[Received], None] | None,
    ) -> None:
        """Send what ``judge`` rules; the flex tier takes ``flex_latency``."""
        self._judge = judge
        self._tally = tally
        self._latency = latency
        self._flex_latency = flex_latency
        self._die = die
        self._clock = clock
        self._record = record

    async def serve(
        self,
        request: web.Request,
        key: RehearsedKey,
        asking: Callable[[bytes], Asked],
        worded: Callable[[Ruling], WireReply],
    ) -> web.Response:
        """Answer ``request``, which comes with ``key``, in the words of the door it came to."""
        model = request.match_info["model"]
        earlier = self._tally.arrived(key.label, key.project, model, self._clock.now())
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            ruling = malformed(TOO_LARGE)
        else:
            keep(self._record, request, body)
            ruling = await self._judge.judge(key, earlier, asking(body))
        is_flex = ruling.served_tier is ServiceTier.FLEX
        delay_s = (self._flex_latency if is_flex else self._latency).draw(self._die)
        if ruling.delivery is Delivery.SLOW:
            delay_s += self._latency.slow_s
        if delay_s > 0:
            await self._clock.sleep(delay_s)
        return self._deliver(request, key, model, ruling, worded(ruling))

    def _deliver(
        self, request: web.Request, key: RehearsedKey, model: str, ruling: Ruling, sent: WireReply
    ) -> web.Response:
        body = json_bytes(sent.body)
        if request.transport is None or request.transport.is_closing():
            self._tally.client_gone(key)
        elif ruling.delivery is Delivery.DROPPED:
            request.transport.abort()
            self._tally.sent(key, model, ruling, status=0)
        else:
            self._tally.sent(key, model, ruling, status=sent.status)
        if ruling.delivery is Delivery.CUT:
            body = body[: len(body) // 2]
        log.debug(
            "rehearsal_reply",
            key_label=key.label,
            outcome=ruling.outcome,
            status=sent.status,
        )
        tier = ruling.served_tier
        return web.Response(
            status=sent.status,
            body=body,
            headers={} if tier is None else {TIER_HEADER: tier},
            content_type="application/json",
            charset="UTF-8",
        )
