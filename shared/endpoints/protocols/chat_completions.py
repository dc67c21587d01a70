"""The wire format of OpenAI's chat completions, which many servers speak: pure.

Requests as the API takes them, replies and errors in our words. Ollama, vLLM, llama.cpp and
others differ in small things: what is missing here is never an error there.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.endpoints.models.asked_settings import NO_SETTINGS, ModelSettings
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import FINISHED, AskedForm, Reply, ending_of, model_of
from shared.endpoints.refusals.error_answers import refusal_within, unreadable_reply
from shared.endpoints.refusals.foreign_json import as_count, as_dict, dicts_in, loads
from shared.endpoints.refusals.refusal import ModelRefused, Unanswered
from shared.endpoints.request import ReplySchema, Request
from shared.program.command_line.nearest import nearest
from shared.program.reporting.secret_mask import SecretMask

_ENDINGS: Final[Mapping[str, str]] = {
    "stop": FINISHED,
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_TIERS: Final[Mapping[str, Tier]] = {"default": Tier.STANDARD, "flex": Tier.FLEX}
_NAMES_SHOWN: Final = 3
"""Names of models that a message shows, the nearest first."""
_THOUGHTS: Final = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)


NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
NO_SECRET: Final = SecretMask()


def messages(request: Request, settings: ModelSettings = NO_SETTINGS) -> list[dict[str, Any]]:
    """Return a request's one message: the prompt, any images as data URIs, the text after."""
    parts: list[dict[str, Any]] = []
    pictures: list[tuple[str, bytes | None]] = [(request.prompt_text, request.image_jpeg)]
    for words, jpeg in [*pictures, *request.further]:
        parts += [{"type": "text", "text": words}] if words else []
        parts += [_picture(jpeg, settings)] if jpeg is not None else []
    if request.closing_text:
        parts.append({"type": "text", "text": request.closing_text})
    return [{"role": "user", "content": parts}]


def _picture(jpeg: bytes, settings: ModelSettings) -> dict[str, Any]:
    """Return the part that holds a picture."""
    detail = {"detail": settings.image_detail} if settings.image_detail else {}
    url = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return {"type": "image_url", "image_url": {"url": url, **detail}}


def setting_fields(settings: ModelSettings) -> dict[str, Any]:
    """Return the fields of a request that say how hard to think; none where nothing is asked."""
    return {"reasoning_effort": settings.thinking} if settings.thinking else {}


def tier_fields(tier: Tier) -> dict[str, Any]:
    """Return the field of a request that asks for a tier; none for the usual one."""
    return {} if tier is Tier.STANDARD else {"service_tier": tier.value}


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
        return _object({name: _translated(inner) for name, inner in schema["properties"].items()})
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


def read_completion(
    body: str, headers: Mapping[str, str] = NO_HEADERS, mask: SecretMask = NO_SECRET
) -> Reply:
    """Return what matters of a successful body; ``mask`` keeps the key out of a refusal's reason.

    Raises:
        Refusal: the body holds an error, is cut off, or is not what the service sends.
    """
    try:
        content = loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable_reply(body, mask) from error
    choice = next(dicts_in(as_dict(content).get("choices")), {})
    # Routers put the error of the service behind them where the choice should be.
    for holder in (content, choice):
        if refusal := refusal_within(holder, headers, mask):
            raise refusal
    if not isinstance(content, dict):
        raise Unanswered("a reply that is no completion")
    message, usage = as_dict(choice.get("message")), as_dict(content.get("usage"))
    taken = as_dict(usage.get("prompt_tokens_details"))
    finish = str(choice.get("finish_reason") or "")
    ending = "REFUSAL" if message.get("refusal") else _ENDINGS.get(finish, finish.upper())
    output, thoughts = _output_tokens(usage)
    said = _text(message.get("content"))
    text = _THOUGHTS.sub("", said)
    return Reply(
        body=body,
        text=text,
        ending=ending_of(ending),
        input_tokens=as_count(usage.get("prompt_tokens")),
        output_tokens=output,
        thought_tokens=thoughts,
        model=model_of(content.get("model")),
        cached_tokens=as_count(taken.get("cached_tokens")),
        image_tokens=as_count(taken.get("image_tokens")),
        tier=_TIERS.get(str(content.get("service_tier"))),
        log_probability=_log_probability(choice) if text == said else None,
    )


def _log_probability(choice: Mapping[str, Any]) -> float | None:
    """Return that of all the tokens of a choice together; ``None`` where one has none."""
    tokens = list(dicts_in(as_dict(choice.get("logprobs")).get("content")))
    each = [token.get("logprob") for token in tokens]
    told = [float(value) for value in each if isinstance(value, (int, float))]
    if not told or len(told) < len(each) or any(map(math.isnan, told)):
        return None
    return min(0.0, sum(told))


def _output_tokens(usage: Mapping[str, Any]) -> tuple[int, int]:
    """Return the tokens of the answer and those of thinking.

    OpenAI counts thoughts among those of the completion. Some count them apart, as their sum shows.
    """
    thoughts = as_count(as_dict(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    completion = as_count(usage.get("completion_tokens"))
    apart = as_count(usage.get("prompt_tokens")) + completion + thoughts
    if as_count(usage.get("total_tokens")) == apart:
        return completion, thoughts
    return max(0, completion - thoughts), thoughts


def require_listed(model: str, body: str, mask: SecretMask = NO_SECRET) -> None:
    """Check that a server's list of models holds ``model``.

    An empty one says nothing, nor does one with patterns, as routers have them.

    Raises:
        Refusal: the list has others alone, or the body is no list.
    """
    try:
        content = loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable_reply(body, mask) from error
    if refusal := refusal_within(content, NO_HEADERS, mask):
        raise refusal
    listed = {model_of(str(entry.get("id"))) for entry in dicts_in(as_dict(content).get("data"))}
    if not listed or any("*" in name for name in listed):
        return
    # Google's route writes models/ before a name, Ollama :latest behind it.
    if not listed & {model, f"models/{model}", f"{model}:latest"}:
        names = nearest(model, sorted(listed), most=_NAMES_SHOWN, likeness=0)
        more = f" and {len(listed) - len(names)} more" if len(listed) > len(names) else ""
        raise ModelRefused(mask(f"the server has {', '.join(names)}{more}"))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in dicts_in(content))
