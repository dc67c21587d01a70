"""Which adapters can be fused: those of one base, on the same layers, of a kind that adds up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peft import LoraConfig

from shared.errors import InputError
from shared.questions.folding import read_folding
from shared.vqa.adapting.adapter_start import require_start, rewrites_base
from shared.vqa.adapting.adapters import adapter_config
from shared.vqa.adapting.rounded_together import is_rounded_together
from shared.vqa.inputs.instruction import trained_prompt
from shared.vqa.inputs.question_length import limit_of_adapters
from trainer.fitting.record import RunRecord


def require_compatible(
    adapters: Sequence[Path], names: Sequence[str], records: Sequence[RunRecord]
) -> None:
    """Check that the updates of all adapters can be added, and mean the same.

    Raises:
        InputError: they cannot; the message names the two, and what to train again.
    """
    configs = [_require_summable(adapter) for adapter in adapters]
    for name, record, config in zip(names[1:], records[1:], configs[1:], strict=True):
        both = f"{names[0]} and {name}"
        _require_same_base(both, records[0], record)
        _require_same_targets(both, configs[0], config)
    _require_one_folding(adapters)
    _require_one_prompt(adapters)
    limit_of_adapters(adapters)


def _require_summable(adapter: Path) -> LoraConfig:
    config = require_start(adapter, adapter_config(adapter), rounded=False)
    if rewrites_base(config):
        raise InputError(
            f"{adapter}: its start ({config.init_lora_weights}) changes the base, so that it "
            "cannot be added to others; merge it instead"
        )
    if is_rounded_together(adapter):
        raise InputError(
            f"{adapter}: is rounded together with its base, so that it cannot be added to others; "
            "merge it instead"
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


def _require_same_base(both: str, first: RunRecord, record: RunRecord) -> None:
    if (record.base, record.base_revision) != (first.base, first.base_revision):
        raise InputError(
            f"{both} have different bases ({first.base} {first.base_revision[:16]}, "
            f"{record.base} {record.base_revision[:16]}); fuse adapters of one base alone"
        )
    if record.quantization != first.quantization:
        raise InputError(
            f"{both} were trained on the base in {first.quantization} and in "
            f"{record.quantization}; train one of them again"
        )


def _require_same_targets(both: str, first: LoraConfig, config: LoraConfig) -> None:
    if _targets(config) != _targets(first):
        raise InputError(
            f"{both} have different targets ({_listed(first)}; {_listed(config)}); train one of "
            "them again with the other's lora.targets"
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


def _require_one_prompt(adapters: Sequence[Path]) -> None:
    first, *others = adapters
    for other in others:
        if trained_prompt(other) != trained_prompt(first):
            raise InputError(
                f"{first} was trained with the prompt {trained_prompt(first)!r}, {other} with "
                f"{trained_prompt(other)!r}; train one of them again with the other's prompt"
            )


def _listed(config: LoraConfig) -> str:
    return ", ".join(sorted(_targets(config)))


def _targets(config: LoraConfig) -> set[str]:
    """Return the targets of a configuration, whose regular expression is a text of its own."""
    targets = config.target_modules
    return {targets} if isinstance(targets, str) else set(targets)
