"""Reads a request: the image and the question in it, or the reason why they will not do.

Nothing is decoded here beyond an image's header; a file that says it is huge is turned away
before it can be.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any, Final

from aiohttp import web

from evaluator.serve.batching import Asked
from shared.images.pixels import TooManyPixels, UnreadablePicture, opened
from shared.records import is_unicode
from shared.web.bodies import form_in, json_in

LARGEST_IMAGE_BYTES: Final = 10 * 2**20
LARGEST_IMAGE_PIXELS: Final = 40_000_000
LARGEST_BODY_BYTES: Final = LARGEST_IMAGE_BYTES * 4 // 3 + 2**16
"""An image in base64, and its surroundings."""
LONGEST_QUESTION: Final = 1_000
"""Characters."""


async def read_asked(request: web.Request) -> Asked:
    """Return what is asked.

    Raises:
        web.HTTPBadRequest: a part is missing or nonsense.
        web.HTTPRequestEntityTooLarge: the body, the image or its pixels are too many.
        web.HTTPUnsupportedMediaType: neither a form nor JSON, or no image of a known format.
    """
    if request.content_type == "multipart/form-data":
        image, question = await _from_form(request)
    elif request.content_type == "application/json":
        image, question = await _from_json(request)
    else:
        raise web.HTTPUnsupportedMediaType(
            text="send multipart/form-data, or application/json with the image in base64"
        )
    _check_image(image)
    return Asked(image, _checked_question(question))


async def _from_form(request: web.Request) -> tuple[bytes, Any]:
    form = await form_in(request)
    image = form.get("image")
    if not isinstance(image, web.FileField):
        raise web.HTTPBadRequest(text="image: send a file")
    return image.file.read(), form.get("question")


async def _from_json(request: web.Request) -> tuple[bytes, Any]:
    value = await json_in(request)
    if not isinstance(value, dict) or not isinstance(value.get("image"), str):
        raise web.HTTPBadRequest(text="image: send a file's content as text in base64")
    # What a browser makes of a file starts with "data:image/png;base64,".
    encoded = value["image"].rpartition(",")[2]
    try:
        image = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise web.HTTPBadRequest(text=f"image: not base64 ({error})") from error
    return image, value.get("question")


def _checked_question(question: Any) -> str:  # noqa: ANN401 (whatever was sent)
    if not isinstance(question, str) or not question.strip():
        raise web.HTTPBadRequest(text="question: send a text that is not empty")
    if not is_unicode(question):
        raise web.HTTPBadRequest(text="question: holds half of a character, such as \\ud83d alone")
    if len(question) > LONGEST_QUESTION:
        raise web.HTTPBadRequest(text=f"question: has more than {LONGEST_QUESTION} characters")
    return question.strip()


def _check_image(image: bytes) -> None:
    if len(image) > LARGEST_IMAGE_BYTES:
        raise _too_large(f"image: larger than {LARGEST_IMAGE_BYTES // 2**20} MiB", len(image))
    try:
        with opened(io.BytesIO(image)) as header:
            pixels = header.width * header.height
    except TooManyPixels as error:
        raise _too_large(f"image: {error}", len(image)) from error
    except UnreadablePicture as error:
        raise web.HTTPUnsupportedMediaType(text=f"image: {error}") from error
    if pixels > LARGEST_IMAGE_PIXELS:
        raise _too_large(f"image: more than {LARGEST_IMAGE_PIXELS:,} pixels", len(image))


def _too_large(text: str, size: int) -> web.HTTPRequestEntityTooLarge:
    return web.HTTPRequestEntityTooLarge(LARGEST_IMAGE_BYTES, size, text=text)
