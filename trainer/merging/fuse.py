"""Fuses adapters of several domains into one, and shows what each domain gained or forgot."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from shared.dataset.folder import write_dataset
from shared.errors import InputError
from shared.files.atomic import new_folder
from shared.hub.figures import CardFigure
from shared.records import QAPair, Split
from shared.vqa.answerer import Answerer
from shared.vqa.families import load_answerer
from shared.vqa.names.base_place import relative_place
from shared.vqa.names.public_name import public_name
from shared.vqa.quantization import Quantization
from trainer.fitting.record import DATASET, RunRecord, require_record, write_record
from trainer.learners.families import learner_class
from trainer.merging.cards import fused_card
from trainer.merging.carrying import carry_training_images
from trainer.merging.compatibility import require_compatible
from trainer.merging.domains import Domain, exact_match_in, kept_domain, unseen_by_all
from trainer.merging.fusion import Fusion, shares_of, write_fused
from trainer.recipe.recipe import LoraStart

BASE, FUSED = "base", "fused"


@dataclass(frozen=True, slots=True)
class FusedDomain:
    """Exact match in [0, 1] on one domain's held-out pairs, by model; ``own`` is its adapter."""

    name: str
    own: str
    split: str
    pairs: int
    exact_match: dict[str, float]

    @property
    def forgotten(self) -> float:
        """What fusing lost of the domain's own adapter; negative where it gained."""
        return self.exact_match[self.own] - self.exact_match[FUSED]


@dataclass(frozen=True, slots=True)
class FuseResult:
    """What was written, and how every model does in every domain."""

    folder: Path
    rank: int
    domains: tuple[FusedDomain, ...]


def fuse(
    adapters: Sequence[Path],
    out: Path,
    *,
    method: Fusion,
    weights: Sequence[float] = (),
    density: float = 0.5,
    images: Sequence[Path] = (),
    seed: int = 0,
    names: Sequence[str] = (),
) -> FuseResult:
    """Write the fused adapter to ``out`` and score base, adapters and fusion in every domain.

    ``density`` is the share of an update that TIES and DARE keep; ``seed`` decides what DARE
    drops. ``images`` has one folder for all adapters, or one for each, where they have moved.
    ``names`` has what each domain is called; an empty one is its folder's.

    Raises:
        InputError: the adapters do not go together, or their pairs or images are not there.
    """
    if len(adapters) < 2:  # noqa: PLR2004
        raise InputError("one adapter alone; give two or more to fuse")
    records = [require_record(adapter) for adapter in adapters]
    names = _names(adapters, names)
    require_compatible(adapters, names, records)
    shares = shares_of(weights, adapters, method)
    domains = _domains(adapters, records, _image_folders(images, names))
    with new_folder(out) as part:
        torch.manual_seed(seed)
        rank = write_fused(
            part,
            base=records[0].base,
            adapters=adapters,
            weights=shares,
            method=method,
            density=density,
        )
        scores = _scores(records[0], dict(zip(names, adapters, strict=True)), part, domains)
        fused = tuple(
            FusedDomain(domain.name, name, domain.split, len(domain.held_out), by_model)
            for domain, name, by_model in zip(domains, names, scores, strict=True)
        )
        card = _card(
            out.resolve().name, records[0], method, dict(zip(names, shares, strict=True)), fused
        )
        (part / "README.md").write_text(card, encoding="utf-8")
        carry_training_images(records[0].base, adapters, part)
        images_dir = _keep_pairs(domains, names, part / DATASET)
        write_record(_record(records, fused, relative_place(images_dir, out)), part)
    return FuseResult(out, rank, fused)


def _domains(
    adapters: Sequence[Path], records: Sequence[RunRecord], images: Sequence[Path | None]
) -> list[Domain]:
    domains = [
        kept_domain(adapter, record, folder)
        for adapter, record, folder in zip(adapters, records, images, strict=True)
    ]
    return unseen_by_all(domains, adapters)


def _card(
    name: str,
    record: RunRecord,
    method: Fusion,
    shares: Mapping[str, float],
    domains: Sequence[FusedDomain],
) -> str:
    return fused_card(
        name=name,
        base=public_name(record.base),
        family=learner_class(record.base).family,
        method=method.value,
        weights=shares,
        domains=[(d.name, d.split, d.pairs, d.exact_match) for d in domains],
        figures=[
            CardFigure("exact_match", d.exact_match[FUSED], d.pairs, data=d.name, split=d.split)
            for d in domains
        ],
    )


def _keep_pairs(domains: Sequence[Domain], names: Sequence[str], folder: Path) -> Path:
    """Write the pairs of all domains, split as the fusion saw them; return their images' folder.

    Where a pair says no domain it gets its adapter's name, so that the adapters themselves can be
    run side by side on the same questions.
    """
    images_dir = Path(os.path.commonpath([domain.images.resolve() for domain in domains]))
    pairs: dict[QAPair, str] = {}
    for domain, name in zip(domains, names, strict=True):
        inside = domain.images.resolve().relative_to(images_dir)
        asked: tuple[tuple[Split, Sequence[QAPair]], ...] = (
            ("train", domain.trained_on),
            ("test", domain.held_out),
        )
        for split, pairs_of_split in asked:
            for pair in pairs_of_split:
                placed = replace(pair, filename=str(inside / pair.filename), split=split)
                pairs.setdefault(placed, name)
    write_dataset(
        [replace(pair, domain=pair.domain or name) for pair, name in pairs.items()],
        folder,
        source={"fused": [domain.name for domain in domains]},
        split_rule={},
    )
    return images_dir


def _record(records: Sequence[RunRecord], fused: Sequence[FusedDomain], images: str) -> RunRecord:
    """Return what `trainer merge` needs to know; nothing was trained, so no step and no epoch."""
    starts = {record.lora_start for record in records}
    total = sum(domain.pairs for domain in fused)

    def mean(model: str) -> float:
        return sum(domain.exact_match[model] * domain.pairs for domain in fused) / total

    return RunRecord(
        recipe_sha256="",
        base=records[0].base,
        base_revision=records[0].base_revision,
        quantization=records[0].quantization,
        # What one of them makes up for, the fusion makes up for in part.
        lora_start=LoraStart.LOFTQ.value if LoraStart.LOFTQ in starts else records[0].lora_start,
        images=images,
        steps=0,
        base_exact_match=mean(BASE),
        exact_match=mean(FUSED),
        best_epoch=0,
    )


def _names(adapters: Sequence[Path], given: Sequence[str]) -> list[str]:
    short = [adapter.resolve().name for adapter in adapters]
    if any(given):
        short = [name or usual for name, usual in zip(given, short, strict=True)]
    names = short if len(set(short)) == len(short) else [str(adapter) for adapter in adapters]
    if len(set(names)) < len(names) or {BASE, FUSED} & set(names):
        raise InputError(f"{', '.join(names)}: each adapter once, and none named base or fused")
    return names


def _image_folders(images: Sequence[Path], names: Sequence[str]) -> list[Path | None]:
    if not images:
        return [None] * len(names)
    if len(images) == 1:
        return [*images] * len(names)
    if len(images) != len(names):
        raise InputError(f"{len(images)} --images for {len(names)} adapters; give one, or one each")
    return list(images)


def _scores(
    record: RunRecord, adapters: Mapping[str, Path], fused: Path, domains: Sequence[Domain]
) -> list[dict[str, float]]:
    """Return exact match by model, for each domain; one model is loaded at a time."""
    scores: list[dict[str, float]] = [{} for _ in domains]
    for name, adapter in {**adapters, FUSED: fused}.items():
        answerer = load_answerer(
            record.base, adapter=adapter, quantization=Quantization(record.quantization)
        )
        if BASE not in scores[0]:
            _add_base(scores, answerer, domains)
        for by_model, domain in zip(scores, domains, strict=True):
            by_model[name] = exact_match_in(domain, answerer, _told(name, domain))
    return scores


def _add_base(
    scores: Sequence[dict[str, float]], answerer: Answerer[Any, Any], domains: Sequence[Domain]
) -> None:
    assert answerer.model.peft is not None
    with answerer.model.peft.disable_adapter():
        for by_model, domain in zip(scores, domains, strict=True):
            by_model[BASE] = exact_match_in(domain, answerer, _told(BASE, domain))


def _told(name: str, domain: Domain) -> str:
    return f"exact match of {name} in {domain.name}"
