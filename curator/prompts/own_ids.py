"""The id that each request of a batch job has, and that its reply must name; pure.

Results of batch jobs have come back under the keys of others (googleapis/python-genai 1909), so
that a key alone proves nothing. An id is good for one request: a reply of another job, or of an
earlier one about the same image, names nobody in this one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import Final

from curator.prompts.schema import schema_with
from shared.endpoints.refusals.foreign_json import loads
from shared.endpoints.request import Request

FIELD: Final = "image_id"
"""The name of the field."""
_DIGITS: Final = 5
"""Bytes: 40 bits tell the images of a job apart, and a model copies eight letters without fault."""
_NAMED: Final = re.compile(rf"\b{FIELD}\W{{1,8}}([a-z2-7]{{8}})\b", re.IGNORECASE)
_OF_PAIRS: Final = (
    "The id of {what} is {own_id}. Reply with a JSON object with the fields image_id, which "
    "is this id, and pairs, which is the array."
)
_OF_ANSWER: Final = (
    "The id of {what} is {own_id}. The JSON object also has the field image_id, which is "
    "this id, before the answer."
)


def own_id(image_jpeg: bytes, campaign_id: int, attempt_id: int) -> str:
    """Return the id of one request about an image: eight letters and digits that tell nothing."""
    digest = hashlib.blake2b(image_jpeg, digest_size=_DIGITS, salt=b"batch").digest()
    salted = digest + f"{campaign_id} {attempt_id}".encode()
    short = hashlib.blake2b(salted, digest_size=_DIGITS).digest()
    return base64.b32encode(short).decode().lower()


def naming(request: Request, own: str) -> Request:
    """Return ``request`` asking for a reply that names the id ``own``."""
    words = _OF_PAIRS if request.questions else _OF_ANSWER
    what = "these images" if request.further_jpegs else "this image"
    closing = f"{request.closing_text}\n\n{words.format(own_id=own, what=what)}".lstrip()
    return replace(request, closing_text=closing, schema=schema_with(FIELD, request.schema))


def named_id(text: str) -> str:
    """Return the id that a reply's text names; empty where it names none."""
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        # In a fence, cut off, or no JSON at all.
        named = _NAMED.search(text)
        return named[1].lower() if named else ""
    own = value.get(FIELD) if isinstance(value, dict) else None
    return own.strip().lower() if isinstance(own, str) else ""
