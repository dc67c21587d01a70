"""A parcel of an adapter or a model: its files, and its card with what a scorecard says."""

from __future__ import annotations

import json
from pathlib import Path

from shared.corpus import read_json
from shared.errors import InputError
from shared.hub.figures import CardFigure, read_scored_model
from shared.hub.model_card import (
    card_for_hub,
    card_head,
    card_text,
    is_hub_id,
    named_license,
    named_weights,
)
from shared.hub.parcel import CARD_FILE, EVALUATION_FOLDER, Kind, Parcel
from shared.vqa.adapting.adapter_files import ADAPTER_CONFIG
from shared.vqa.names.base_place import BASE_FOLDER
from shared.vqa.names.public_name import public_name
from shared.vqa.packed.record import PACKED_FILE
from trainer.publishing.folder import Published, published


def model_parcel(
    folder: Path,
    name: str,
    scorecard: Path | None,
    license_name: str,
    *,
    there: frozenset[str] = frozenset(),
    card_there: str = "",
) -> Parcel:
    """Return what of an adapter's or a model's folder goes to the repository ``name``.

    The card is the folder's, with the licence, the figures of ``scorecard`` (a run folder or its
    file) in its `model-index` and in a table, and a hash of the weights, by which later scorecards
    are known to be about them. ``there`` are files of the repository, and ``card_there`` its card:
    where that is about the same weights, its figures and the files of `evaluator push` stay.

    Raises:
        InputError: the folder is no adapter and no model, its card cannot be read, or the scorecard
            is about another adapter.
    """
    files = published(folder)
    figures = () if scorecard is None else _figures_about(scorecard, folder, files)
    card = card_text(folder / CARD_FILE) or _plain_card(folder, name)
    card = card_for_hub(
        card,
        name,
        figures,
        license_name=" ".join(license_name.split()),
        weights=files.weights,
        earlier=card_there,
        source=str(folder / CARD_FILE),
    )
    is_same = bool(card_there) and named_weights(card_there) == files.weights
    evaluated = sorted(each for each in there if each.startswith(f"{EVALUATION_FOLDER}/"))
    made = {CARD_FILE: card.encode(), **_packed_record(files)}
    return Parcel(
        Kind.MODEL,
        {**files.files, **made},
        license_name=named_license(card),
        left_out=files.left_out,
        stale=() if is_same else evaluated,
        kept=evaluated if is_same else (),
    )


def _packed_record(files: Published) -> dict[str, bytes]:
    """Return the record of packed weights with the base's name for others: no path of a folder."""
    path = files.files.get(PACKED_FILE)
    if path is None:
        return {}
    record = read_json(path)
    record.pop(BASE_FOLDER, None)
    record["base"] = record.get("base") and public_name(str(record["base"]))
    return {PACKED_FILE: json.dumps(record, indent=2).encode()}


def base_note(folder: Path) -> str:
    """Return a line where an adapter's base is no model of a hub, which others cannot get."""
    path = folder / ADAPTER_CONFIG
    base = str(read_json(path).get("base_model_name_or_path") or "") if path.is_file() else ""
    if not base or is_hub_id(base):
        return ""
    return (
        f"note: the base is called {public_name(base)} here, by which no hub knows it, so that the "
        "card's head names none; say on the card where it is"
    )


def _figures_about(scorecard: Path, folder: Path, files: Published) -> tuple[CardFigure, ...]:
    scored = read_scored_model(scorecard)
    if scored.weights != files.weights:
        raise InputError(
            f"{scorecard}: its figures are not of these weights; give a run about {folder} as it "
            "is now"
        )
    return scored.figures


def _plain_card(folder: Path, name: str) -> str:
    """Return the card of a folder that has none, as other programs make them."""
    facts: dict[str, object] = {"tags": ["vqa"]}
    if (folder / ADAPTER_CONFIG).is_file():
        base = str(read_json(folder / ADAPTER_CONFIG).get("base_model_name_or_path") or "")
        facts |= {"library_name": "peft", "base_model": public_name(base)}
    return f"{card_head(name, [], facts)}\n\n# {name.rpartition('/')[2]}\n"
