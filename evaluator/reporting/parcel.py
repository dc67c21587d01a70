"""What of a run goes into its model's repository: its figures on the card, and files beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evaluator.runs.folder import CHANGES_FOLDER, CSV_FILE, SCORECARD_FILE
from evaluator.runs.record import read_record, shown_provenance
from shared.corpus import read_json
from shared.errors import InputError
from shared.hub.figures import ScoredModel, read_scored_model
from shared.hub.model_card import card_for_hub, card_head, named_license, named_weights
from shared.hub.parcel import CARD_FILE, EVALUATION_FOLDER, Kind, Parcel

_REPORT_FILE: Final = "report.html"
_NOT_IN_NAMES: Final = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class WithIt:
    """What goes beside the scorecard: the answers, and a page of `evaluator report`."""

    predictions: bool = False
    report: Path | None = None


def run_parcel(run: Path, name: str, card: str, beside: WithIt, *, agreed: bool) -> Parcel:
    """Return the files of a run for the repository ``name``, whose card is ``card``.

    The card's `model-index` gets the run's figures; `evaluation/RUN/` has the scorecard without
    this machine's paths. ``agreed``: the run is of this model, whatever its files say.

    Raises:
        InputError: the run is not finished, is plainly of another model, or a file is missing.
    """
    scored = read_scored_model(run)
    _require_own(run, name, scored, card, agreed=agreed)
    title = _NOT_IN_NAMES.sub("-", read_record(run).name or run.resolve().name).strip("-.") or "run"
    before = card or f"{card_head(name, [], {})}\n\n# {name}\n"
    card = card_for_hub(before, name, scored.figures, source=f"{name}/{CARD_FILE}")
    files: dict[str, Path | bytes] = {
        CARD_FILE: card.encode(),
        f"{EVALUATION_FOLDER}/{title}/{SCORECARD_FILE}": _shown_scorecard(run / SCORECARD_FILE),
    }
    if beside.predictions:
        files[f"{EVALUATION_FOLDER}/{title}/{CSV_FILE}"] = _present(run / CSV_FILE)
    if beside.report is not None:
        files[f"{EVALUATION_FOLDER}/{title}/{_REPORT_FILE}"] = _present(beside.report)
    return Parcel(
        Kind.MODEL,
        files,
        license_name=named_license(card) or "the card names none",
        left_out=list(_left_out(run, beside)),
    )


def _require_own(run: Path, name: str, scored: ScoredModel, card: str, *, agreed: bool) -> None:
    """Check by the hash of weights, which `trainer push` puts on a card, whose the figures are."""
    on_card = named_weights(card) if card else ""
    if agreed or scored.model == name or (on_card and on_card == scored.weights):
        return
    if on_card and scored.weights:
        raise InputError(
            f"{run}: its figures are of other weights than {name} holds; `trainer push` sends the "
            "newer ones, and --yes puts these figures there all the same"
        )
    raise InputError(f"{run}: nothing tells that {name} is what answered; --yes says that it is")


def _shown_scorecard(path: Path) -> bytes:
    value = read_json(path)
    provenance = value.get("provenance")
    if isinstance(provenance, Mapping):
        value["provenance"] = shown_provenance(provenance)
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _present(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path


def _left_out(run: Path, beside: WithIt) -> Iterator[str]:
    if not beside.predictions:
        yield "the answers (they hold the data's questions; --predictions sends them)"
    if beside.report is None:
        yield "a report (it holds pictures of the data; --report PAGE sends one)"
    for path in sorted(run.iterdir()):
        if path.name == CHANGES_FOLDER:
            yield f"{path.name}/ (the answers under changes; their figures are in the scorecard)"
        elif path.name not in {SCORECARD_FILE, CSV_FILE} and path.suffix != ".lock":
            yield f"{path.name}{'/' if path.is_dir() else ''} (of the run alone)"
