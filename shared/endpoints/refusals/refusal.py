"""What a server answers instead of a reply, in our words: whose it is, and what follows.

``shared.endpoints.refusals.blame`` says which answer is which; the annotators raise them.

    RateLimited       the project's    it rests for a while
    ProjectRefused    the project's    its keys leave this run; the next one tries them again
    ModelRefused      the model's, for a project: as above; where every key says so, the run ends
    NoQuota           the same, because the limit is 0: only another model or billing helps
    InvalidKey        the key's        it leaves for good, until its line changes
    WrongAddress      the campaign's   the run ends
    Unavailable       the service's    it is asked again later
    Unanswered        the same         as above; a budget counts it
    Shed              the tier's       this request is sent again later, and nothing else follows
    TierRefused       the model's      it is not asked at this tier, and at no other unasked
    FormNotTaken      the model's      it is asked more plainly, this image too
    SettingNotTaken   the model's      the same: annotators make a FormNotTaken of it
    BadRequest        the image's      a dead letter; what all images get is the campaign's
"""

from __future__ import annotations

import re

from shared.endpoints.keys.quota import Quota, Window
from shared.errors import AboVqaError


class Refusal(AboVqaError):
    """Root of what a request can come to other than a reply.

    ``reason`` is short, holds no secret, and is fit for logs and the ledger. ``about`` is what such
    answers are in general, in the words of ``shared.endpoints.refusals.blame``; empty where none
    came.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.about = ""


class RateLimited(Refusal):
    """The project is over a quota.

    ``window`` is the longest one named (minute where none is), ``retry_after_s`` the delay that
    the server asked for or ``None``, ``resets_at`` when it said that the quota is there again,
    seconds since the epoch, or ``None``; ``limits`` what it named, without the zeros.
    ``is_vague`` says that it names no quota at all.
    """

    def __init__(
        self,
        reason: str,
        *,
        window: Window,
        retry_after_s: float | None,
        limits: Quota,
        resets_at: float | None = None,
        is_vague: bool = False,
    ) -> None:
        super().__init__(reason)
        self.window = window
        self.is_vague = is_vague
        self.retry_after_s = retry_after_s
        self.limits = limits
        self.resets_at = resets_at


class ProjectRefused(Refusal):
    """The project is not served until a person acts: no credit, another country, a service off."""


class ModelRefused(ProjectRefused):
    """The project may not use the model, or there is no such model."""


class NoQuota(ModelRefused):
    """The project has no quota at all for the model: its limit is 0, and stays so at midnight."""


class InvalidKey(Refusal):
    """The key fails for good: unknown, expired, leaked, suspended, or not taken there."""


class WrongAddress(Refusal):
    """Nothing at this address answers such requests: a wrong path, a redirect, a proxy."""


class Unavailable(Refusal):
    """A transient failure: server error, no capacity, timeout, broken connection, cut-off body."""


class Unanswered(Unavailable):
    """It was sent, and no whole answer came: it may have been served, and billed."""


class Unreachable(Unavailable):
    """No connection came about, so the request was never sent."""


class Shed(Unavailable):
    """A tier that is served when there is room had none; ``retry_after_s`` as the server asks."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class TierRefused(Refusal):
    """The model is not served at the tier that was asked for."""


class BadRequest(Refusal):
    """The server will never take this request, whatever the key."""


class FormNotTaken(Refusal):
    """The model takes no such form, or setting; the next request asks more plainly.

    ``form`` is the one that is asked for from now on, empty until an annotator has decided that.
    ``left_out`` is the setting that is not asked for any more, such as ``thinking=high``; empty
    where it is the form that changes.
    """

    def __init__(self, reason: str, form: str = "", left_out: str = "") -> None:
        super().__init__(reason)
        self.form = form
        self.left_out = left_out


class SettingNotTaken(Refusal):
    """The model does not take how it was told to think or to look; ``setting`` says which."""

    setting = ""


class ThinkingNotTaken(SettingNotTaken):
    """The model takes no such level of thinking."""

    setting = "thinking"


class DetailNotTaken(SettingNotTaken):
    """The model takes no such detail of images."""

    setting = "image_detail"


def untrusted(told: str) -> WrongAddress:
    """Return the refusal for a server whose certificate is not trusted; waiting changes nothing."""
    why = re.search(r"verify failed: (.*?)(?: \(_ssl|$)", told)
    return WrongAddress(
        f"the server's certificate is not trusted ({why[1] if why else told}): let SSL_CERT_FILE "
        "name a file that holds its authority's"
    )


def proxy_refused(status: int) -> Refusal:
    """Return the refusal for what a proxy answered in the service's place."""
    if status >= 500:  # noqa: PLR2004
        return Unavailable(f"the proxy has trouble ({status})")
    return WrongAddress(f"the proxy that HTTPS_PROXY names does not let requests out ({status})")
