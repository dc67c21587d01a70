"""What Gemini answers instead of a reply, in our words; ``curator.gemini`` raises them."""

from __future__ import annotations

from curator.quota import Quota, Window
from shared.errors import AboVqaError


class Refusal(AboVqaError):
    """Root of what a request can come to other than a reply.

    ``reason`` is short, holds no secret, and is fit for logs and the ledger.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RateLimited(Refusal):
    """The project is over a quota.

    ``window`` is the longest one named (minute where none is), ``retry_after_s`` the delay that
    the server asked for or ``None``, ``limits`` what it named, without the zeros.
    """

    def __init__(
        self, reason: str, *, window: Window, retry_after_s: float | None, limits: Quota
    ) -> None:
        super().__init__(reason)
        self.window = window
        self.retry_after_s = retry_after_s
        self.limits = limits


class InvalidKey(Refusal):
    """The key fails for good: unknown, leaked, suspended, or its project may not use the model."""


class Unavailable(Refusal):
    """A transient failure: server error, timeout, broken connection, cut-off body."""


class Unreachable(Unavailable):
    """No connection came about, so the request was never sent."""


class BadRequest(Refusal):
    """The server will never take this request, whatever the key."""


class UnknownModel(Refusal):
    """The server does not know the model, so no request of this run can succeed."""


class FormNotTaken(Refusal):
    """The server may not take the form that was asked for; the next request asks more plainly."""
