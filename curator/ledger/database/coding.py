"""How records stand in rows: listings, replies, and what catalogues left out."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final, Protocol

import orjson

from curator.ledger.records.overview import LeftOut
from curator.ledger.records.work import KeptReply
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.quota import Quota
from shared.records import ImageRef, Listing

Row = Mapping[str, Any]
MAKER: Final = (
    "coalesce((SELECT iif(model_version = '', model, model_version)"
    " FROM attempts WHERE id = {}), '')"
)
"""The model by which a pair of a request is tallied, given that request's number."""


class NamedCells(Protocol):
    """A row that was read, whoever read it: its cells by the names of their columns."""

    def __getitem__(self, name: str, /) -> Any:  # noqa: ANN401 - cells have no types
        """Return a cell."""


def pack_reply(body: str) -> bytes:
    """Return the stored form of a reply's body."""
    return zlib.compress(body.encode(), level=1)


def unpack_reply(packed: bytes) -> str:
    """Return the body that ``pack_reply`` was given."""
    return zlib.decompress(packed).decode()


def listing_row(listing: Listing) -> tuple[str, str, str, str, str]:
    """Return a listing in ``items``: its id, its image's id and path, its metadata, its product."""
    image = listing.image
    metadata = metadata_text(listing.metadata)
    return listing.listing_id, image.image_id, image.path, metadata, listing.product


def metadata_text(metadata: Mapping[str, str]) -> str:
    """Return the stored form of texts by name, as JSON.

    Builds of before put spaces between them.
    """
    return orjson.dumps(metadata).decode()


def listing_of(row: NamedCells) -> Listing:
    """Return the listing that a row of ``items`` holds."""
    image = ImageRef(row["image_id"], row["image_path"])
    return Listing(row["listing_id"], image, json.loads(row["metadata"]), row["product"])


def kept_reply(row: NamedCells) -> KeptReply:
    """Return the reply that a row of attempts and replies holds."""
    model = row["model_version"] or row["model"]
    body = unpack_reply(row["body"])
    return KeptReply(row["attempt_id"], row["annotator"], model, body, views_in(row["views"]))


def views_text(item_ids: Iterable[int]) -> str:
    """Return the stored form of the further pictures of a request, by their items."""
    return ",".join(map(str, item_ids))


def views_in(text: str) -> tuple[int, ...]:
    """Return what ``views_text`` was given."""
    return tuple(map(int, text.split(","))) if text else ()


def models_text(models: Iterable[AskedModel]) -> str:
    """Return the stored form of the models that a run asks."""
    tables = [{"name": model.name, **asdict(model.quota)} for model in models]
    return json.dumps([{name: value for name, value in table.items() if value} for table in tables])


def models_of(text: str) -> tuple[AskedModel, ...]:
    """Return what ``models_text`` was given."""
    return tuple(AskedModel(table.pop("name"), Quota(**table)) for table in json.loads(text))


def left_out_text(left_out: Iterable[LeftOut]) -> str | None:
    """Return the stored form of what a catalogue left out; ``None`` for nothing."""
    entries = [(entry.reason, entry.count, entry.first) for entry in left_out]
    return json.dumps(entries, ensure_ascii=False) if entries else None


def left_out_of(text: str | None) -> list[LeftOut]:
    """Return what ``left_out_text`` was given."""
    return [LeftOut(*entry) for entry in json.loads(text or "[]")]
