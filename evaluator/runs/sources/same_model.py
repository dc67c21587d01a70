"""Which model answers a run, and what its adapter changes: ``model.json``, the same all along."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from evaluator.answering.fleet import Fleet
from evaluator.answering.messages import AdapterEffect
from evaluator.answering.shards import Shard
from evaluator.runs.record import EvaluationRecord
from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.records import Question
from shared.vqa.quantization import Quantization, rounded_as

MODEL_FILE: Final = "model.json"
"""Written before the first shard."""
ADAPTER_SAMPLE: Final = 200
"""Questions that are also answered without the adapter, to check that it does something."""


def agree_on_model(
    folder: Path, fleet: Fleet, shards: Sequence[Shard], record: EvaluationRecord
) -> None:
    """Write which model answers, or check that it is the one that answered before.

    Raises:
        InputError: it is another.
    """
    facts = asdict(fleet.facts())
    if record.service is None:
        _warn_of_what_it_was_not_trained_on(record, facts["revision"])
    if not (folder / MODEL_FILE).is_file():
        effect = _effect(fleet, shards, record)
        changed = None if effect is None else asdict(effect)
        write_json({**facts, "adapter_effect": changed}, folder / MODEL_FILE)
        return
    before = read_json(folder / MODEL_FILE)
    # A folder of a release before lacks what was not known of a model then, such as its cleaning.
    differing = [name for name in facts if before.get(name, "") != facts[name]]
    if differing:
        changes = ", ".join(
            f"{name} {before.get(name)!r}, now {facts[name]!r}" for name in differing
        )
        raise InputError(
            f"--out {folder}: another model answered its first shards ({changes}); "
            "give another folder, or the same model on the same kind of machine"
        )


def _warn_of_what_it_was_not_trained_on(record: EvaluationRecord, revision: str) -> None:
    """Say where an adapter was trained on another base or in another format of it.

    A replica would where nobody reads it.
    """
    # With them comes torch, which a model behind an address does without.
    from shared.vqa.adapting.adapters import (  # noqa: PLC0415
        warn_of_another_base,
        warn_of_another_format,
    )

    for adapter in _adapters(record):
        warn_of_another_base(Path(adapter), revision)
        if record.model and record.quantization:
            held = rounded_as(record.model, Quantization(record.quantization))
            warn_of_another_format(Path(adapter), held)


def _adapters(record: EvaluationRecord) -> list[str]:
    """Return the folders of the adapters, or their names behind an address."""
    named = [record.adapter, *(adapter.folder for adapter in record.adapters.values())]
    return [name for name in named if name]


def _effect(
    fleet: Fleet, shards: Sequence[Shard], record: EvaluationRecord
) -> AdapterEffect | None:
    return fleet.adapter_effect(_sample(shards, record.adapters)) if _adapters(record) else None


def _sample(shards: Sequence[Shard], adapters: Collection[str]) -> list[Question]:
    """Return questions of the first shard, or, of several adapters, the first ones of each."""
    if not adapters:
        return list(shards[0].questions[:ADAPTER_SAMPLE])
    asked = [question for shard in shards for question in shard.questions]
    of_domain = {name: [q for q in asked if q.domain == name] for name in adapters}
    each = max(1, ADAPTER_SAMPLE // len(adapters))
    return [question for own in of_domain.values() for question in own[:each]]


def model_facts(folder: Path) -> dict[str, Any]:
    """Return which model answered, as ``agree_on_model`` wrote it."""
    return read_json(folder / MODEL_FILE)
