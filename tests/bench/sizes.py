"""What a BLIP with the sizes of blip-vqa-base takes on disk, form by form; its weights are random.

    python -m tests.bench.sizes [FOLDER]

Needs 10 GB of disk and 6 GB of memory, and minutes. With FOLDER the bundles are kept there, so that
they can be timed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import BitsAndBytesConfig, BlipForQuestionAnswering

from shared.vqa.loaded import LoadedModel
from shared.vqa.loading import load_blip
from shared.vqa.packed.folder import write_packed_network
from shared.vqa.packed.record import PackedPart, PackedRecord, write_packed_record
from shared.vqa.quantization import Quantization
from tests.bench.inference import full_size_model
from tests.models import learner_of_blip
from trainer.export.bundle import Provenance, bytes_in, write_bundle, write_graphs
from trainer.export.families.blip import exportable_blip
from trainer.export.variants import Variant
from trainer.fitting.adapter import add_adapter
from trainer.learners.families import load_learner
from trainer.merging.merge import save_beside_weights
from trainer.quantizing.allocation import Choice
from trainer.quantizing.parts import BITS, Part
from trainer.quantizing.planning import least_within
from trainer.quantizing.rounding import Method
from trainer.quantizing.sensitivity import Rounder
from trainer.recipe.recipe import LoraRecipe


def sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield each form with its bytes on disk: safetensors alone, or everything in a bundle."""
    source = full_size_model(folder / "float32")
    yield "transformers, float32", _weights(source)
    for dtype in (torch.float32, torch.float16):
        yield f"transformers, NF4, the rest {dtype}", _nf4(source, dtype, folder / f"nf4-{dtype}")
    model = load_blip(str(source), quantization=Quantization.NONE, device=torch.device("cpu"))
    print(f"{sum(weight.numel() for weight in model.blip.parameters()):,} weights")
    yield from _bundles(model, folder)
    adapter = add_adapter(learner_of_blip(model), LoraRecipe())
    adapter.save(folder / "adapter")
    yield "LoRA adapter with the recipe's defaults", _weights(folder / "adapter")
    for megabytes in (110, 125, 150):
        yield f"trainer quantize, {megabytes} MB", _packed(source, megabytes, folder)
    half = BlipForQuestionAnswering.from_pretrained(source, dtype=torch.float16)
    half.save_pretrained(folder / "float16")
    yield "transformers, float16", _weights(folder / "float16")


def _bundles(model: LoadedModel, folder: Path) -> Iterator[tuple[str, int]]:
    graphs = folder / "graphs"
    graphs.mkdir()
    exportable = exportable_blip(model)
    list(write_graphs(exportable, graphs))
    for variant in Variant:
        write_bundle(
            graphs, exportable, variant, Provenance("random", "", ""), folder / f"{variant}.d"
        )
        yield f"trainer export, {variant}", bytes_in(folder / f"{variant}.d")


def _packed(source: Path, megabytes: float, folder: Path) -> int:
    """Write packed weights within a budget: by the weights alone, for random ones say nothing."""
    rounder = Rounder(load_learner(str(source), quantization=Quantization.NONE))
    choices = {part.name: [_choice(rounder, part, bits) for bits in BITS] for part in rounder.parts}
    plan = least_within(rounder, choices, int(megabytes * 1e6) - rounder.other_bytes)
    rounder.round_for_good(plan, Method.NEAREST)
    target = folder / f"packed-{megabytes}"
    target.mkdir()
    shared = write_packed_network(rounder.network, target)
    parts = tuple(PackedPart(each.names, each.shape, plan[each], each.group) for each in plan)
    record = PackedRecord(parts, shared, str(source), "random", Method.NEAREST.value)
    write_packed_record(record, target)
    save_beside_weights(rounder.learner.model, target)
    return _weights(target)


def _choice(rounder: Rounder, part: Part, bits: int) -> Choice:
    weight = rounder.network.get_submodule(part.name).weight.detach()
    grid, codes = rounder.rounded(part, bits, Method.NEAREST)
    return Choice(bits, part.bytes_at(bits), float((grid.weight(codes) - weight).square().sum()))


def _nf4(source: Path, rest: torch.dtype, target: Path) -> int:
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=rest,
    )
    model = BlipForQuestionAnswering.from_pretrained(
        source, dtype=rest, quantization_config=settings, device_map={"": "cpu"}
    )
    model.save_pretrained(target)
    return _weights(target)


def _weights(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def main(place: Path) -> None:
    """Print a line for each form."""
    for name, size in sizes(place):
        print(f"{name:45} {size / 1e6:9,.1f} MB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as scratch:
            main(Path(scratch))
