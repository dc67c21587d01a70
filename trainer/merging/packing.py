"""An adapter that is rounded together with its packed base becomes part of it: no bit is added."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from transformers import PreTrainedModel

from shared.vqa.loaded import LoadedModel
from shared.vqa.packed.folder import write_packed_network
from shared.vqa.packed.layers import PackedLinear
from shared.vqa.packed.place import packed_record_of
from shared.vqa.packed.record import write_packed_record
from shared.vqa.packed.together import take_adapter
from trainer.fitting.adapter import lora_layers


def write_merged_packed(trained: LoadedModel, folder: Path) -> None:
    """Write the packed weights as they are with the adapter, which ``trained`` then has no more.

    Layers that are not packed take their update as it is.
    """
    record = packed_record_of(trained.name)
    assert record is not None
    assert trained.peft is not None
    take_adapter(trained.peft)
    for layer in lora_layers(trained.peft).values():
        if not isinstance(layer.get_base_layer(), PackedLinear):
            layer.merge()
    network: PreTrainedModel = trained.peft.unload()
    shared = write_packed_network(network, folder)
    # With an adapter merged in, no model has the exact weights.
    write_packed_record(replace(record, shared=shared, base=""), folder)
