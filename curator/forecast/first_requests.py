"""The first requests of a campaign as they would be sent, and what is taken for granted of keys.

People see here, before anything is paid for, what the model is told of their products.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from curator.catalog import Catalog, Skipped
from curator.prompts.prompts import Prompts
from shared.endpoints.image_encoding import Photo, prepare_photo
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.asked_settings import ModelSettings
from shared.errors import CorruptImage, StoreUnreachable
from shared.images.decoding import opened_image
from shared.records import Listing
from shared.value_class import value_class

SHOWN: Final = 3
"""Requests that are shown."""
_TRIED: Final = 30
"""Listings of which a picture can be read in at least some, or nothing is shown."""


@value_class
class FirstRequest:
    """One request: the image as sent in pixels and bytes, and the texts before and after it.

    ``further_images`` are those of its listing that go along.
    """

    listing: str
    image: str
    width_px: int
    height_px: int
    image_bytes: int
    text_before: str
    text_after: str
    further_images: Sequence[str] = ()


def first_requests(catalog: Catalog, prompts: Prompts) -> list[FirstRequest]:
    """Return the requests about the first images that can be read, without sending them.

    Raises:
        InputError: a file of the catalogue is unreadable.
    """
    return [*islice(_requests(catalog, prompts), SHOWN)]


def _requests(catalog: Catalog, prompts: Prompts) -> Iterator[FirstRequest]:
    for listing, *views in _shared_out(catalog, prompts.views):
        image = listing.image.path
        try:
            photo = prepare_photo(catalog.images_dir / image)
            with opened_image(photo.jpeg, image) as sent:
                width_px, height_px = sent.size
        except (CorruptImage, StoreUnreachable):
            continue
        prompt = prompts.of_listing(listing)
        further = {view: read for view in views if (read := _read(catalog, view)) is not None}
        request = prompt.request(
            listing.metadata,
            photo.jpeg,
            photo.longest_px,
            image=image,
            further_jpegs=tuple(read.jpeg for read in further.values()),
        )
        yield FirstRequest(
            listing.listing_id,
            image,
            width_px,
            height_px,
            len(photo.jpeg),
            request.prompt_text,
            request.closing_text,
            list(further),
        )


def _shared_out(catalog: Catalog, views: int) -> Iterator[tuple[Listing, *tuple[str, ...]]]:
    """Yield the first listings, each with the paths of further images that go along with it."""
    open_ones: dict[Hashable, list[str]] = {}
    shared: list[tuple[Listing, list[str]]] = []
    for listing in islice(catalog.listings(Skipped()), _TRIED):
        key = listing.listing_id, tuple(listing.metadata.items())
        along = open_ones.get(key)
        if along is None or len(along) + 1 >= views:
            open_ones[key] = along = []
            shared.append((listing, along))
        else:
            along.append(listing.image.path)
    for listing, along in shared:
        yield (listing, *along)


def _read(catalog: Catalog, image: str) -> Photo | None:
    try:
        return prepare_photo(catalog.images_dir / image)
    except (CorruptImage, StoreUnreachable):
        return None


def requests_object(
    requests: Sequence[FirstRequest], model: str, tier: str, settings: ModelSettings
) -> dict[str, Any]:
    """Return the requests as plain values, with whom they go to and how it is asked."""
    said = {name: value for name, value in asdict(settings).items() if value not in ("", None)}
    return {
        "model": model,
        "tier": tier,
        "settings": said,
        "requests": [asdict(request) for request in requests],
    }


def requests_view(told: Mapping[str, Any]) -> RenderableType:
    """Return the object of ``requests_object`` for a terminal; a text that all share comes once."""
    requests = told["requests"]
    if not requests:
        return Text("No picture of the first listings can be read, so that no request is shown.")
    said = ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in told["settings"].items()
    )
    to = told["model"] or "the server's model"
    parts: list[RenderableType] = [
        Text(
            f"The first {len(requests)} requests, as they would go to {to} ({told['tier']}; "
            f"{said or 'thinking and detail as the model chooses'}):",
            style="bold",
        )
    ]
    shared = {request["text_before"] for request in requests}
    if len(shared) == 1:
        parts += [Text("before each image:"), _quoted(*shared)]
    for number, request in enumerate(requests, start=1):
        parts.append(
            Text(
                f"{number}. listing {request['listing']}: {request['image']}, sent as "
                f"{request['width_px']} x {request['height_px']} px, "
                f"{request['image_bytes'] / 1024:.1f} KiB"
            )
        )
        if len(shared) > 1:
            parts += [Text("before the image:"), _quoted(request["text_before"])]
        if request["further_images"]:
            parts.append(Text(f"with it: {', '.join(request['further_images'])}"))
        if request["text_after"]:
            parts += [Text("after the image:"), _quoted(request["text_after"])]
    return Group(*parts)


def _quoted(text: str) -> RenderableType:
    return Padding(Text(text, style="dim"), (0, 0, 0, 4))


def taken_for_granted(keys: Sequence[Key], models: Sequence[AskedModel]) -> list[str]:
    """Return what a plan takes for granted of ``keys`` that say little, each with the way out."""
    # A server that asks for no key has no quota either.
    keys = [key for key in keys if key.secret or key.account is not None]
    boundless = [
        key for key in keys if any(model.quota_with(key.quota) == Quota() for model in models)
    ]
    alone = [key for key in keys if key.is_of_assumed_project]
    lines = []
    if boundless:
        lines.append(
            f"{_keys(boundless, keys)} no limits; taken as unlimited: give --free, or --rpm, "
            "--tpm and --rpd, or state them in the keys file."
        )
    if len(alone) > 1:
        lines.append(
            f"{_keys(alone, keys)} no project; each is taken for one of its own: keys of one "
            "project share its quota, so name it in the keys file where that is so."
        )
    return lines


def _keys(some: Sequence[Key], keys: Sequence[Key]) -> str:
    if len(some) == 1 == len(keys):
        return "The key states"
    which = "All" if len(some) == len(keys) else f"{len(some):,} of"
    return f"{which} {len(keys):,} keys {'states' if len(some) == 1 else 'state'}"
