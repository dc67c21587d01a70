"""The replies and campaigns that the log beside a ledger tells of, the rotated logs included."""

from __future__ import annotations

import glob
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from io import SEEK_END, BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from curator.ledger.database.identity import LOG, beside
from curator.ledger.records.logged import LOGGED_CHARACTERS, TOLD_LINE
from shared.endpoints.protocols.registry import Service
from shared.value_class import value_class

if TYPE_CHECKING:
    from gzip import GzipFile

_END_BYTES: Final = 2**18
_LAST_ATTEMPT: Final = re.compile(rb'"attempt": ?(\d+),[^\n]*"event": ?"reply"')
_LINE: Final = re.compile(TOLD_LINE)


@value_class
class LoggedCampaign:
    """A campaign as its run logged it; its ``campaign_id`` is the ledger's of that time."""

    campaign_id: int
    annotator: str
    models: str
    prompt_version: str
    questions: int
    prompts: str
    at: float


@value_class
class LoggedReply:
    """A reply as it was logged; ``text`` is ``None`` where its end was not.

    ``drafts`` is how many pairs stood in it, useful or not.
    ``campaign`` is the one of its run, ``None`` where the log does not say.
    """

    attempt_id: int
    listing_id: str
    image: str
    key_label: str
    model: str
    prompt_version: str
    ending: str
    form: str
    text: str | None
    is_useful: bool
    drafts: int
    question: str | None
    canary_day: str | None
    at: float
    campaign: LoggedCampaign | None

    @property
    def annotator(self) -> str:
        """Whose protocol the reply came by."""
        return self.campaign.annotator if self.campaign else Service.GEMINI.value

    @property
    def asked_by(self) -> str:
        """The version of the prompts of its campaign."""
        return self.campaign.prompt_version if self.campaign else self.prompt_version

    def body(self, annotator: str) -> str | None:
        """Return a body that says what the reply said, ``None`` where its end is not known."""
        if self.text is None:
            return None
        if annotator == Service.OPENAI.value:
            choice = {"message": {"content": self.text}, "finish_reason": self.ending.lower()}
            return orjson.dumps({"choices": [choice]}).decode()
        content = {"parts": [{"text": self.text}]}
        candidate = {"content": content, "finishReason": self.ending}
        return orjson.dumps({"candidates": [candidate]}).decode()


def logged_replies(ledger: Path) -> dict[int, LoggedReply]:
    """Return the replies by attempt, the latest where an attempt occurs twice."""
    replies: dict[int, LoggedReply] = {}
    campaign = None
    for event in _events(ledger):
        # What is no line of ours is passed over: a log may be cut off anywhere.
        with suppress(KeyError, TypeError, ValueError):
            if event["event"] == "campaign":
                campaign = _campaign(event)
            else:
                reply = _reply(event, campaign)
                replies[reply.attempt_id] = reply
    return replies


def replies_after(ledger: Path, attempt_id: int) -> list[LoggedReply]:
    """Return the replies to later requests than that, in their order, if the log's last one is."""
    log = beside(ledger, LOG)
    try:
        with log.open("rb") as file:
            file.seek(-min(_END_BYTES, log.stat().st_size), SEEK_END)
            last = _LAST_ATTEMPT.findall(file.read())
    except OSError:
        return []
    if not last or int(last[-1]) <= attempt_id:
        return []
    return [each for number, each in sorted(logged_replies(ledger).items()) if number > attempt_id]


def _events(ledger: Path) -> Iterator[Mapping[str, Any]]:
    log = beside(ledger, LOG)
    rotated = log.parent.glob(f"{glob.escape(log.name)}.*")
    for path in [*sorted(rotated, key=lambda path: path.stat().st_mtime), log]:
        # What of a log cannot be read, nobody knows; the rest of it counts.
        with suppress(EOFError, OSError, zlib.error), _opened(path) as lines:
            for line in lines:
                if _LINE.search(line):
                    with suppress(orjson.JSONDecodeError):
                        yield orjson.loads(line)


def _opened(path: Path) -> GzipFile | BufferedReader:
    import gzip  # noqa: PLC0415 - most logs are not packed, and every run comes here

    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _campaign(event: Mapping[str, Any]) -> LoggedCampaign:
    return LoggedCampaign(
        campaign_id=int(event["campaign"]),
        annotator=str(event["annotator"]),
        models=orjson.dumps(event["models"]).decode(),
        prompt_version=str(event["prompt_version"]),
        questions=int(event["questions"]),
        prompts=orjson.dumps(event["prompts"]).decode(),
        at=_time(event),
    )


def _reply(event: Mapping[str, Any], campaign: LoggedCampaign | None) -> LoggedReply:
    text = str(event["response"])
    return LoggedReply(
        attempt_id=int(event["attempt"]),
        listing_id=str(event["listing"]),
        image=str(event["image"]),
        key_label=str(event["key"]),
        model=str(event["model"]),
        prompt_version=str(event["prompt_version"]),
        ending=str(event["ending"]),
        form=str(event["form"]),
        text=text if len(text) < LOGGED_CHARACTERS else None,
        is_useful=bool(event.get("accepted") or event.get("answer")),
        drafts=int(event.get("accepted", 0)) + int(event.get("rejected", 0)),
        question=event.get("question"),
        canary_day=event.get("canary"),
        at=_time(event),
        campaign=campaign,
    )


def _time(event: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(event["timestamp"])).timestamp()
