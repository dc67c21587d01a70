"""The wire format of OpenAI's chat completions, which many servers speak: pure.

Requests as the API takes them, replies and errors in our words. Ollama, vLLM, llama.cpp and
others differ in small things: what is missing here is never an error there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from curator.annotator import FINISHED, Reply, ending_of, model_of
from curator.foreign_json import as_count, as_dict, dicts_in, loads
from curator.prompt import ReplySchema, Request
from curator.quota import Quota, Window
from curator.refusals import (
    BadRequest,
    InvalidKey,
    RateLimited,
    Refusal,
    Unavailable,
    UnknownModel,
)
from shared.events import SecretMask

LONGEST_REASON: Final = 200
"""Characters of a server's message that are kept."""
_ENDINGS: Final[Mapping[str, str]] = {
    "stop": FINISHED,
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_THOUGHTS: Final = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_KEY_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


class AskedForm(StrEnum):
    """How strictly a reply's form is asked for, strictest first."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    PLAIN = "text"


def messages(request: Request) -> list[dict[str, Any]]:
    """Return a request's one message: the prompt, the image as a data URI, the text after it."""
    picture = base64.b64encode(request.image_jpeg).decode()
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": request.prompt_text},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}},
    ]
    if request.closing_text:
        parts.append({"type": "text", "text": request.closing_text})
    return [{"role": "user", "content": parts}]


def form_fields(schema: ReplySchema, form: AskedForm) -> dict[str, Any]:
    """Return the fields of a request that ask for ``form``; none for plain text."""
    if form is AskedForm.PLAIN:
        return {}
    if form is AskedForm.OBJECT:
        return {"response_format": {"type": form.value}}
    described = {"name": schema.name, "strict": True, "schema": json_schema(schema)}
    return {"response_format": {"type": form.value, "json_schema": described}}


def json_schema(schema: ReplySchema) -> dict[str, Any]:
    """Return ``schema`` as JSON Schema, an array wrapped in the object that strict mode wants."""
    whole = _translated(schema.content)
    return whole if whole["type"] == "object" else _object({schema.name: whole})


def _translated(schema: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(schema["type"]).lower()
    if kind == "object":
        return _object({name: _translated(one) for name, one in schema["properties"].items()})
    if kind == "array":
        return {"type": "array", "items": _translated(schema["items"])}
    return {"type": kind} | ({"enum": list(schema["enum"])} if "enum" in schema else {})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_completion(body: str) -> Reply:
    """Return what matters of a successful body.

    Raises:
        Unavailable: the body is cut off or not what the service sends.
    """
    try:
        content = loads(body)
    except (ValueError, RecursionError) as error:
        raise Unavailable("a cut-off reply") from error
    if not isinstance(content, dict) or content.get("error"):
        raise Unavailable("a reply that is no completion")
    choice = next(dicts_in(content.get("choices")), {})
    message, usage = as_dict(choice.get("message")), as_dict(content.get("usage"))
    thoughts = as_count(as_dict(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    finish = str(choice.get("finish_reason") or "")
    ending = "REFUSAL" if message.get("refusal") else _ENDINGS.get(finish, finish.upper())
    return Reply(
        body=body,
        text=_THOUGHTS.sub("", _text(message.get("content"))),
        ending=ending_of(ending),
        input_tokens=as_count(usage.get("prompt_tokens")),
        output_tokens=max(0, as_count(usage.get("completion_tokens")) - thoughts),
        thought_tokens=thoughts,
        model=model_of(content.get("model")),
    )


def refusal_of(status: int, body: object, headers: Mapping[str, str], mask: SecretMask) -> Refusal:
    """Return our word for an error reply; ``mask`` keeps the key out of its reason."""
    error = as_dict(body)
    error = as_dict(error.get("error")) or error
    message = " ".join(str(error.get("message") or "").split())
    code = ending_of(error.get("code"))
    described = mask(f"{status}: {message}" if message else str(status))
    reason = described.encode(errors="replace").decode()[:LONGEST_REASON]
    if status in {401, 403} or code in _KEY_CODES:
        return InvalidKey(code or f"HTTP {status}")
    if status == 404:  # noqa: PLR2004
        return UnknownModel(reason)
    if status == 429:  # noqa: PLR2004
        delay = retry_after_s(headers)
        return RateLimited(reason, window=Window.MINUTE, retry_after_s=delay, limits=Quota())
    if status in {408, 409, 425} or status >= 500:  # noqa: PLR2004
        return Unavailable(reason)
    return BadRequest(reason)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the delay in seconds that the headers name; ``None`` without one, or with a date."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "")
        if re.fullmatch(r"\d{1,7}(\.\d+)?", text):
            return float(text) * unit_s
    return None


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in dicts_in(content))
