"""``run.json``: what a run folder says of how it was made, and the only code that reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict

from evaluator.runs.places import last_name, shown_place, without_credentials
from evaluator.runs.rows.trained_on import Counts
from evaluator.runs.settings import RunSettings, ScoreSettings
from shared.corpus import read_json, write_json
from shared.program.command_line.next_step import typed
from shared.program.settings import Settings, validated

RUN_FILE: Final = "run.json"
_TEXTS: Final = frozenset({"command", "name", "prompt"})
"""Facts that are no place, however they begin; of a command, the places are shown already."""
_TEXT_OPTIONS: Final = frozenset({"--name", "--prompt"})
"""Options whose values are no places, whatever they hold."""


class NamedAdapter(Settings):
    """One of several adapters: its folder, its hash, and the digest of the questions it answers.

    Behind an address it is a name without a hash.
    """

    folder: str
    sha256: str
    questions_sha256: str = ""


class EvaluationRecord(Settings):
    """What made a run, as far as it is known; a file has what is set.

    ``settings`` are what was asked for. The rest is what came of it, and what a resumed run must
    share: ``data_sha256`` of the scored pairs, which ``images`` below which folder or URL, how the
    pictures were decoded, the split, the model and its adapters, and so on. ``service`` is whose
    protocol a model behind an address speaks, ``image_px``, ``thinking`` and ``extra_body`` how it
    was asked. ``scored_at`` is when `evaluator score` made the folder, in seconds since the epoch;
    a run that answers notes its times in `status.json`.

    A folder of a release before has ``arguments`` for ``settings``: the command line, word by word.
    What no field is called is passed over.
    """

    model_config = ConfigDict(extra="ignore")

    command: str = ""
    name: str | None = None
    data: str | None = None
    data_sha256: str | None = None
    trained_on: Counts | None = None
    images: str | None = None
    decoder: int | None = None
    split: str | None = None
    limit: int | None = None
    service: str | None = None
    model: str | None = None
    quantization: str | None = None
    adapter: str | None = None
    adapter_sha256: str | None = None
    adapters: Mapping[str, NamedAdapter] = {}
    prompt: str | None = None
    max_new_tokens: int | None = None
    image_px: int | None = None
    thinking: str | None = None
    extra_body: Mapping[str, Any] | None = None
    grounding: str | None = None
    left_out: Mapping[str, str] = {}
    shuffle_images: int | None = None
    shuffle_sample: int | None = None
    robustness: Mapping[str, str] | None = None
    robustness_sample: int | None = None
    seed: int | None = None
    fingerprint: str | None = None
    scored_at: float | None = None
    settings: RunSettings | ScoreSettings | None = None
    arguments: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what is known besides ``settings``, in the types of JSON."""
        return self.model_dump(
            mode="json",
            exclude_unset=True,
            exclude={"settings", "arguments", "fingerprint", "scored_at"},
        )

    def shown_command(self) -> list[str]:
        """Return the command that makes the run again, as others may see it."""
        if self.settings is not None:
            return [*self.command.split(), *self.settings.shown()]
        return [*self.command.split(), *_shown_words(self.arguments)]


def write_record(folder: Path, record: EvaluationRecord) -> None:
    """Write ``run.json``."""
    write_json(record.model_dump(mode="json", exclude_unset=True), folder / RUN_FILE)


def read_record(folder: Path) -> EvaluationRecord:
    """Read ``run.json``; an empty record where there is none.

    Raises:
        InputError: the file is no JSON object, or a value in it is of another kind.
    """
    path = folder / RUN_FILE
    return (
        validated(EvaluationRecord, read_json(path), source=str(path))
        if path.is_file()
        else EvaluationRecord()
    )


def shown_facts(
    record: EvaluationRecord, provenance: Mapping[str, Any], signatures: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return what is known about a run as names and texts, inner tables by dotted names.

    Pages travel: of a path or URL this has the last name, and nothing of where pictures lie.
    """
    facts = {**record.facts(), **provenance}
    facts.pop("images", None)
    facts["command"] = typed(*record.shown_command())
    facts |= {f"signature of {name}": text for name, text in signatures.items()}
    return [
        (name, text if name in _TEXTS else without_credentials(last_name(text)))
        for name, text in _flat(facts)
    ]


def shown_provenance(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a scorecard knows of how it was made as others may see it: no whole places."""
    return {
        name: value if name in _TEXTS else _shown_value(value)
        for name, value in provenance.items()
        if name != "images"
    }


def _shown_value(value: object) -> object:
    if isinstance(value, Mapping):
        return shown_provenance(value)
    if isinstance(value, str):
        return without_credentials(last_name(value))
    return [_shown_value(each) for each in value] if isinstance(value, list | tuple) else value


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, value if isinstance(value, str) else json.dumps(value)


def _shown_words(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command line as others may see them."""
    for before, word in pairwise(["", *words]):
        is_text = before in _TEXT_OPTIONS or word.partition("=")[0] in _TEXT_OPTIONS
        yield word if is_text else shown_place(word)
