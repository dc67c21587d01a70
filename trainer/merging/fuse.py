"""Fuses adapters of several domains into one, and shows what each domain gained or forgot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from shared.dataset.folder import write_dataset
from shared.errors import InputError
from shared.questions.folding import read_folding, write_folding
from shared.records import QAPair, Split
from shared.vqa.adapting.adapter_start import require_start, rewrites_base
from shared.vqa.adapting.adapters import ADAPTER_WEIGHTS, adapter_config, quiet_renames
from shared.vqa.answerer import Answerer
from shared.vqa.families import load_answerer
from shared.vqa.loaded import Quantization
from shared.vqa.names.public_name import public_name
from shared.vqa.question_length import limit_of_adapters, lower_question_limit
from trainer.fitting.adapter import name_base
from trainer.fitting.record import DATASET, RunRecord, relative_place, require_record, write_record
from trainer.learners.families import learner_class
from trainer.merging.cards import fused_card
from trainer.merging.carrying import carry_training_images
from trainer.merging.domains import Domain, exact_match_in, kept_domain, unseen_by_all
from trainer.merging.merge import new_folder
from trainer.recipe.recipe import LoraStart

BASE, FUSED = "base", "fused"


class Fusion(StrEnum):
    """How updates are combined: by weighted sum, TIES (arXiv:2306.01708), DARE (arXiv:2311.03099).

    The sum is exact and its rank is the sum of the ranks; the others prune the updates, combine
    them, and keep the same number of principal components.
    """

    LINEAR = "linear"
    TIES = "ties"
    DARE_LINEAR = "dare_linear"
    DARE_TIES = "dare_ties"


PEFT_NAMES = {
    # peft's own "linear", "ties" and so on combine A and B apart, so that every A meets every B;
    # these combine the updates B A.
    Fusion.LINEAR: "cat",
    Fusion.TIES: "ties_svd",
    Fusion.DARE_LINEAR: "dare_linear_svd",
    Fusion.DARE_TIES: "dare_ties_svd",
}
AVERAGED_BY_ITSELF = {Fusion.TIES, Fusion.DARE_TIES}
"""Methods that divide by the number of updates that agree, so that each has the weight 1."""


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
) -> FuseResult:
    """Write the fused adapter to ``out`` and score base, adapters and fusion in every domain.

    ``density`` is the share of an update that TIES and DARE keep; ``seed`` decides what DARE
    drops. ``images`` has one folder for all adapters, or one for each, where they have moved.

    Raises:
        InputError: the adapters do not go together, or their pairs or images are not there.
    """
    if len(adapters) < 2:  # noqa: PLR2004
        raise InputError("one adapter alone; give two or more to fuse")
    records = [require_record(adapter) for adapter in adapters]
    names = _names(adapters)
    configs = [_require_summable(adapter) for adapter in adapters]
    _require_same(names, records, configs)
    _require_one_folding(adapters)
    limit_of_adapters(adapters)
    shares = _weights(weights, names, method)
    domains = unseen_by_all(
        [
            kept_domain(adapter, record, folder)
            for adapter, record, folder in zip(
                adapters, records, _image_folders(images, names), strict=True
            )
        ],
        adapters,
    )
    with new_folder(out) as part:
        torch.manual_seed(seed)
        rank = _write_fused(
            part,
            base=records[0].base,
            adapters=adapters,
            weights=shares,
            method=method,
            density=density,
        )
        tried = dict(zip((*names, FUSED), (*adapters, part), strict=True))
        scores = _scores(records[0], tried, domains)
        fused = tuple(
            FusedDomain(domain.name, name, domain.split, len(domain.held_out), by_model)
            for domain, name, by_model in zip(domains, names, scores, strict=True)
        )
        card = fused_card(
            public_name(records[0].base),
            learner_class(records[0].base).family,
            method.value,
            dict(zip(names, shares, strict=True)),
            [(d.name, d.split, d.pairs, d.exact_match) for d in fused],
        )
        (part / "README.md").write_text(card, encoding="utf-8")
        carry_training_images(records[0].base, adapters, part)
        images_dir = _keep_pairs(domains, names, part / DATASET)
        write_record(_record(records, fused, relative_place(images_dir, out)), part)
    return FuseResult(out, rank, fused)


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
        for split, ones in asked:
            for pair in ones:
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


def _names(adapters: Sequence[Path]) -> list[str]:
    short = [adapter.resolve().name for adapter in adapters]
    names = short if len(set(short)) == len(short) else [str(adapter) for adapter in adapters]
    if len(set(names)) < len(names) or {BASE, FUSED} & set(names):
        raise InputError(f"{', '.join(names)}: each adapter once, and none named base or fused")
    return names


def _require_summable(adapter: Path) -> LoraConfig:
    config = require_start(adapter, adapter_config(adapter), four_bit=False)
    if rewrites_base(config):
        raise InputError(
            f"{adapter}: its start ({config.init_lora_weights}) changes the base, so that it "
            "cannot be added to others; merge it instead"
        )
    if config.use_dora:
        raise InputError(
            f"{adapter}: is a DoRA adapter, whose magnitudes cannot be added; train it again with "
            "lora.dora = false"
        )
    if config.modules_to_save:
        raise InputError(
            f'{adapter}: has answers of its own (answers = "extend"), whose layer cannot be '
            'fused; train it again with answers = "base"'
        )
    return config


def _require_same(
    names: Sequence[str], records: Sequence[RunRecord], configs: Sequence[LoraConfig]
) -> None:
    for name, record, config in zip(names[1:], records[1:], configs[1:], strict=True):
        ours, theirs = f"{names[0]} and {name}", "fuse adapters of one base alone"
        if (record.base, record.base_revision) != (records[0].base, records[0].base_revision):
            raise InputError(
                f"{ours} have different bases ({records[0].base} {records[0].base_revision[:16]}, "
                f"{record.base} {record.base_revision[:16]}); {theirs}"
            )
        if record.quantization != records[0].quantization:
            raise InputError(
                f"{ours} were trained on the base in {records[0].quantization} and in "
                f"{record.quantization}; train one of them again"
            )
        if _targets(config) != _targets(configs[0]):
            raise InputError(
                f"{ours} have different targets ({_listed(configs[0])}; {_listed(config)}); train "
                "one of them again with the other's lora.targets"
            )


def _require_one_folding(adapters: Sequence[Path]) -> None:
    foldings = {adapter: read_folding(adapter) for adapter in adapters}
    first = adapters[0]
    for adapter, folding in foldings.items():
        if folding != foldings[first]:
            raise InputError(
                f"{first} was trained on questions folded by {foldings[first]}, {adapter} by "
                f"{folding}; train the older one again"
            )


def _listed(config: LoraConfig) -> str:
    return ", ".join(sorted(_targets(config)))


def _targets(config: LoraConfig) -> set[str]:
    """Return the targets of a configuration, whose regular expression is a text of its own."""
    targets = config.target_modules
    return {targets} if isinstance(targets, str) else set(targets)


def _weights(weights: Sequence[float], names: Sequence[str], method: Fusion) -> list[float]:
    if not weights:
        each = 1.0 if method in AVERAGED_BY_ITSELF else 1 / len(names)
        return [each] * len(names)
    if len(weights) != len(names):
        raise InputError(f"{len(weights)} weights for {len(names)} adapters; give one for each")
    return list(weights)


def _image_folders(images: Sequence[Path], names: Sequence[str]) -> list[Path | None]:
    if not images:
        return [None] * len(names)
    if len(images) == 1:
        return [*images] * len(names)
    if len(images) != len(names):
        raise InputError(f"{len(images)} --images for {len(names)} adapters; give one, or one each")
    return list(images)


def _write_fused(
    part: Path,
    *,
    base: str,
    adapters: Sequence[Path],
    weights: Sequence[float],
    method: Fusion,
    density: float,
) -> int:
    """Write the fused adapter, computed in float32; return its rank."""
    model = load_answerer(base, quantization=Quantization.NONE, device=torch.device("cpu")).model
    ids = [f"adapter_{number}" for number in range(len(adapters))]
    with quiet_renames():
        peft = PeftModel.from_pretrained(model.network, str(adapters[0]), adapter_name=ids[0])
        for name, adapter in zip(ids[1:], adapters[1:], strict=True):
            peft.load_adapter(str(adapter), adapter_name=name)
        # The new adapter takes its configuration from the first one, and the scale of each is
        # already in the sum: with rsLoRA it would be scaled twice.
        peft.peft_config[ids[0]].use_rslora = False
        rank: int = sum(peft.peft_config[name].r for name in ids)
        peft.add_weighted_adapter(
            ids,
            list(weights),
            FUSED,
            combination_type=PEFT_NAMES[method],
            svd_rank=None if method is Fusion.LINEAR else rank,
            svd_full_matrices=False,
            density=None if method is Fusion.LINEAR else density,
        )
    replace(peft.peft_config[FUSED], inference_mode=True).save_pretrained(str(part))
    name_base(base, part)
    # Else peft asks the hub whether the base's vocabulary has grown.
    tensors = get_peft_model_state_dict(peft, adapter_name=FUSED, save_embedding_layers=False)
    save_file({name: t.contiguous() for name, t in tensors.items()}, part / ADAPTER_WEIGHTS)
    lower_question_limit(model.tokenizer, limit_of_adapters(adapters))
    model.tokenizer.save_pretrained(str(part))
    model.image_processor.save_pretrained(str(part))
    write_folding(read_folding(adapters[0]), part)
    return rank


def _scores(
    record: RunRecord, adapters: dict[str, Path], domains: Sequence[Domain]
) -> list[dict[str, float]]:
    """Return exact match by model, for each domain; one model is loaded at a time."""
    scores: list[dict[str, float]] = [{} for _ in domains]
    for name, adapter in adapters.items():
        answerer = load_answerer(
            record.base, adapter=adapter, quantization=Quantization(record.quantization)
        )
        if BASE not in scores[0]:
            _add_base(scores, answerer, domains)
        for by_model, domain in zip(scores, domains, strict=True):
            by_model[name] = exact_match_in(domain, answerer)
    return scores


def _add_base(
    scores: Sequence[dict[str, float]], answerer: Answerer[Any, Any], domains: Sequence[Domain]
) -> None:
    assert answerer.model.peft is not None
    with answerer.model.peft.disable_adapter():
        for by_model, domain in zip(scores, domains, strict=True):
            by_model[BASE] = exact_match_in(domain, answerer)
