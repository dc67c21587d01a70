"""Reads the body of a ``generateContent`` request as Google's server does: strict, any case.

Names may be in snake or camel case, images in standard or URL-safe base64, padded or not. What
Google would refuse raises ``MalformedRequest`` with Google's words.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from shared.errors import AboVqaError, CorruptImage
from shared.images.decoding import opened_image
from shared.value_class import value_class

IMAGE_TOKENS: Final = 258
PLAIN_TEXT: Final = "text/plain"
CHARACTERS_PER_TOKEN: Final = 4
_UNTILED_PX: Final = 384
_SMALLEST_TILE_PX: Final = 256
_LARGEST_TILE_PX: Final = 768
_DETAILS: Final = ("low", "medium", "high")
_LEVELS: Final = ("minimal", "low", "medium", "high")
_DEEPEST_SCHEMA: Final = 64
_TOP_LEVEL: Final = frozenset(
    {
        "cachedContent",
        "contents",
        "generationConfig",
        "labels",
        "model",
        "safetySettings",
        "serviceTier",
        "store",
        "systemInstruction",
        "toolConfig",
        "tools",
    }
)
_SINGLE_QUESTION: Final = re.compile(r"^\s*Question:\s*(.+)$", re.IGNORECASE | re.MULTILINE)
_IMAGE_ID: Final = re.compile(
    r"\bid of (?:this image|the image|these images) (?:is|are):? \W?([\w-]+)", re.IGNORECASE
)
_ASKED_FOR: Final = re.compile(
    r"\b(\d{1,3})\s+(?:\w+\s+){0,3}?(?:questions?|fragen?|प्रश्न|सवाल)(?!\w)", re.IGNORECASE
)


class ServiceTier(StrEnum):
    """How fast and at what price a request is answered; the value is the name on the wire."""

    STANDARD = "standard"
    FLEX = "flex"
    PRIORITY = "priority"


class MalformedRequest(AboVqaError):
    """The request is refused with 400 INVALID_ARGUMENT; the message is Google's."""


@value_class
class Inquiry:
    """What a request asks: texts and images in order, and the form the reply must have.

    ``schema`` is the response schema or ``None``; ``questions`` how many the text asks for, or
    ``None`` where it names no number; ``prompt_tokens`` the input tokens, images included.
    ``image_detail``, ``thinking_level`` and ``thinking_budget`` are what it asks for, in lower
    case, empty or ``None`` where it does not. ``service_tier`` is the tier that it asks for, or in
    the end the one that serves it. ``thought_tokens`` and ``cached_tokens`` are what the model
    counts that is asked.
    """

    text: str
    images: tuple[bytes, ...]
    mime_type: str
    schema: Mapping[str, Any] | None
    max_output_tokens: int | None
    questions: int | None
    text_tokens: int
    image_tokens: int
    image_detail: str = ""
    thinking_level: str = ""
    thinking_budget: int | None = None
    service_tier: ServiceTier = ServiceTier.STANDARD
    has_system_text: bool = False
    thought_tokens: int = 0
    cached_tokens: int = 0

    @property
    def single_question(self) -> str:
        """The one question that is asked about the image; empty where many are to be written."""
        if self.questions is not None:
            return ""
        asked = _SINGLE_QUESTION.findall(self.text)
        return asked[-1].strip() if asked else ""

    @property
    def image_id(self) -> str:
        """The id that the text gives the image, for replies to name; empty where there is none."""
        named = _IMAGE_ID.search(self.text)
        return named[1] if named else ""

    @property
    def prompt_tokens(self) -> int:
        """Input tokens of text and images together."""
        return self.text_tokens + self.image_tokens

    @property
    def digest(self) -> bytes:
        """SHA-256 of all texts and images."""
        whole = hashlib.sha256(self.text.encode(errors="surrogatepass"))
        for image in self.images:
            whole.update(hashlib.sha256(image).digest())
        return whole.digest()


def read_inquiry(body: bytes) -> Inquiry:
    """Parse a request's body.

    Raises:
        MalformedRequest: not JSON, unknown or missing fields, no base64, not an image.
    """
    return inquiry_of(read_json(body))


def read_counted(body: bytes) -> Inquiry:
    """Parse the body of a ``countTokens`` request: contents, or a whole request.

    Raises:
        MalformedRequest: as for ``read_inquiry``.
    """
    table = camel_cased(read_json(body))
    return inquiry_of(table.get("generateContentRequest", table))


def inquiry_of(value: object) -> Inquiry:
    """Return what a request asks that was read from JSON.

    Raises:
        MalformedRequest: no object, unknown or missing fields, no base64, not an image.
    """
    request = _known_fields(value)
    contents = request.get("contents")
    if not isinstance(contents, list) or not contents:
        raise MalformedRequest("* GenerateContentRequest.contents: contents is not specified")
    instruction = request.get("systemInstruction")
    parts = [part for content in [instruction, *contents] for part in _parts(content)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    images = tuple(_image(part["inlineData"]) for part in parts if "inlineData" in part)
    config = camel_cased(request.get("generationConfig") or {})
    schema = config.get("responseSchema") or config.get("responseJsonSchema")
    if _is_too_deep(schema):
        raise MalformedRequest(
            "A schema in GenerationConfig in the request exceeds the maximum allowed nesting depth."
        )
    thinking = camel_cased(config.get("thinkingConfig") or {})
    budget = thinking.get("thinkingBudget")
    text = "\n".join(texts)
    return Inquiry(
        text=text,
        images=images,
        mime_type=str(config.get("responseMimeType") or PLAIN_TEXT),
        schema=schema if isinstance(schema, dict) else None,
        max_output_tokens=_output_limit(config.get("maxOutputTokens")),
        questions=_questions_asked_for(text),
        text_tokens=text_tokens(text),
        image_tokens=sum(_image_tokens(image) for image in images),
        image_detail=_chosen(
            config.get("mediaResolution"), "media_resolution", "MEDIA_RESOLUTION_", _DETAILS
        ),
        thinking_level=_chosen(
            thinking.get("thinkingLevel"),
            "thinking_config.thinking_level",
            "THINKING_LEVEL_",
            _LEVELS,
        ),
        thinking_budget=budget if isinstance(budget, int) else None,
        has_system_text=instruction is not None,
        service_tier=_service_tier(request.get("serviceTier")),
    )


def text_tokens(text: str) -> int:
    """Return about how many tokens a text has."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def read_json(body: bytes) -> object:
    """Parse JSON.

    Raises:
        MalformedRequest: it is none.
    """
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"Invalid JSON payload received. {error}") from error
    return value


def _known_fields(value: object) -> dict[str, Any]:
    request = camel_cased(value)
    for name in request:
        if name not in _TOP_LEVEL:
            raise MalformedRequest(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            )
    return request


def _is_too_deep(schema: object) -> bool:
    level = [schema]
    for _ in range(_DEEPEST_SCHEMA):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return bool(level)


def _chosen(value: object, field: str, prefix: str, known: Sequence[str]) -> str:
    """Return one of ``known`` in lower case; empty where nothing, or nothing certain, is chosen."""
    name = str(value or "").removeprefix(prefix).lower()
    if name in ("", "unspecified"):
        return ""
    if name not in known:
        raise MalformedRequest(f"Invalid value at 'generation_config.{field}', \"{value}\"")
    return name


def _service_tier(value: object) -> ServiceTier:
    name = str(value or "unspecified").lower()
    if name in ("unspecified", "service_tier_unspecified"):
        return ServiceTier.STANDARD
    try:
        return ServiceTier(name)
    except ValueError as error:
        raise MalformedRequest(
            "Invalid value at 'service_tier' "
            f'(type.googleapis.com/google.ai.generativelanguage.v1main.ServiceTier), "{value}"'
        ) from error


def camel_cased(table: object) -> dict[str, Any]:
    """Return an object of JSON with its names in camel case; what lies deeper stays as it is.

    Raises:
        MalformedRequest: not an object.
    """
    if not isinstance(table, dict):
        raise MalformedRequest("Invalid JSON payload received. Expected an object.")
    return {_camel_name(str(name)): value for name, value in table.items()}


def _camel_name(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _parts(content: object) -> Iterator[dict[str, Any]]:
    if content is None:
        return
    parts = camel_cased(content).get("parts")
    if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
        raise MalformedRequest(
            "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty."
        )
    for part in parts:
        yield camel_cased(part)


def _image(inline_data: object) -> bytes:
    data = camel_cased(inline_data).get("data")
    if not isinstance(data, str) or not data:
        raise MalformedRequest("* contents.parts.inline_data.data: required field is not set")
    standard = data.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        content = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest(
            "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), "
            "Base64 decoding failed"
        ) from error
    return content


def _image_tokens(content: bytes) -> int:
    """Count as Gemini 2 documents it: one tile up to 384 px, else tiles of 256 to 768 px."""
    try:
        with opened_image(content, "the image") as image:
            width, height = image.size
    except CorruptImage as error:
        raise MalformedRequest("Unable to process input image. Please retry or report.") from error
    if max(width, height) <= _UNTILED_PX:
        return IMAGE_TOKENS
    tile = min(max(int(min(width, height) / 1.5), _SMALLEST_TILE_PX), _LARGEST_TILE_PX)
    return IMAGE_TOKENS * math.ceil(width / tile) * math.ceil(height / tile)


def _output_limit(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise MalformedRequest(
            "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32)"
        )
    return value


def _questions_asked_for(text: str) -> int | None:
    asked = _ASKED_FOR.search(text)
    return int(asked[1]) if asked and int(asked[1]) > 0 else None
