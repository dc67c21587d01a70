"""One question on one picture: what exported models take beside torch, each in its own process.

``LITERT_PYTHON`` names a Python that has litert-torch; without it, and without ai-edge-litert here,
LiteRT is left out. Rows are of one thread, and the comparisons of as many as stands there.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from shared.vqa.names.model_names import resolve_model
from tests.bench.energy import joules_so_far
from tests.bench.inference import full_size_model, make_pictures
from tests.bench.measure import Comparison
from tests.bench.measure import Target as Row
from trainer.export.bundle import Provenance, bytes_in, write_bundle, write_graphs
from trainer.export.families.blip_fixed import with_fixed_sizes
from trainer.export.families.exportable import Exportable
from trainer.export.families.opening import opened_exportable
from trainer.export.litert.conversion import write_converted
from trainer.export.measure import ImageQuestions, Kind, Measurement, measure
from trainer.export.targets import Target
from trainer.export.variants import Variant

THREADS = 2
TURNS = 3
QUESTIONS: Final = (
    "what color is the chair",
    "what is it made of",
    "what shape is the table",
    "is there a lamp",
    "what type of product is this",
)
REFERENCE, OURS = "torch, float32", "onnx, int8"
_PROVENANCE = Provenance("of the bench", "", "")


def bench_exported(folder: Path) -> Iterator[Comparison | Row]:
    """Compare for blip-vqa-tiny, and show every target: 40 pictures, 5 questions each."""
    model = resolve_model("blip-vqa-tiny")
    exportable = opened_exportable(model)
    graphs = folder / "graphs"
    graphs.mkdir()
    list(write_graphs(exportable, graphs))
    kinds = {REFERENCE: (Kind.MODEL, model), "torch, NF4": (Kind.NF4, model)}
    for target, variants in _targets().items():
        source = graphs if target is not Target.LITERT else _converted(exportable, folder)
        made = exportable if target is not Target.LITERT else with_fixed_sizes(exportable)
        for variant in variants:
            place = folder / f"{target}-{variant}"
            write_bundle(source, made, variant, _PROVENANCE, place, target=target)
            kinds[f"{target}, {variant}"] = (Kind.BUNDLE, str(place))
    yield from _shown("blip-vqa-tiny", kinds, folder, pictures=40, questions=QUESTIONS)


def bench_exported_full_size(folder: Path) -> Iterator[Comparison | Row]:
    """Compare for blip-vqa-base's sizes, with random weights; takes 6 GB of memory."""
    model = str(full_size_model(folder / "model"))
    exportable = opened_exportable(model)
    graphs = folder / "graphs"
    graphs.mkdir()
    list(write_graphs(exportable, graphs))
    write_bundle(graphs, exportable, Variant.INT8, _PROVENANCE, folder / "int8")
    del exportable
    kinds = {REFERENCE: (Kind.MODEL, model), OURS: (Kind.BUNDLE, str(folder / "int8"))}
    yield from _shown(
        "full size", kinds, folder, pictures=3, questions=QUESTIONS[:1], turns=1, random=True
    )


def _targets() -> dict[Target, tuple[Variant, ...]]:
    """Return what runs here."""
    targets: dict[Target, tuple[Variant, ...]] = {
        Target.ONNX: tuple(Variant),
        Target.OPENVINO: tuple(Variant),
        Target.LITERT: (Variant.FLOAT32, Variant.INT8),
    }
    if importlib.util.find_spec("openvino") is None:
        del targets[Target.OPENVINO]
    runs = importlib.util.find_spec("ai_edge_litert") is not None
    if not runs or "LITERT_PYTHON" not in os.environ:
        del targets[Target.LITERT]
    return targets


def _converted(exportable: Exportable, folder: Path) -> Path:
    graphs = folder / "litert-graphs"
    if not graphs.exists():
        graphs.mkdir()
        python = Path(os.environ["LITERT_PYTHON"])
        variants = [Variant.FLOAT32.value, Variant.INT8.value]
        list(write_converted(with_fixed_sizes(exportable), graphs, variants, python))
    return graphs


def _shown(
    name: str,
    kinds: dict[str, tuple[Kind, str]],
    folder: Path,
    *,
    pictures: int,
    questions: tuple[str, ...],
    turns: int = TURNS,
    random: bool = False,
) -> Iterator[Comparison | Row]:
    made = make_pictures(folder / "pictures", pictures, side=256)
    asked = [ImageQuestions(str(path), questions) for path in sorted(made.iterdir())]
    # Threads that wait for one another keep processors busy, so that their time tells nothing then.
    alone: dict[str, Measurement] = {}
    joules: dict[str, float | None] = {}
    for who, (kind, place) in kinds.items():
        before = joules_so_far()
        alone[who] = measure(kind, place, asked, 1, f"{name}, {who}")
        after = joules_so_far()
        joules[who] = (
            None
            if before is None or after is None
            else (after - before) / (pictures * len(questions))
        )
    measured: dict[str, list[Measurement]] = {REFERENCE: [], OURS: []}
    for _ in range(turns):
        for who, own in measured.items():
            own.append(measure(*kinds[who], asked, THREADS, f"{name}, {who}, {THREADS} threads"))
    yield Comparison(
        f"int8 bundle, {name}: one question on one picture",
        "answers/s",
        *(1e3 / median(median(one.each_ms) for one in measured[who]) for who in (REFERENCE, OURS)),
    )
    yield Comparison(
        f"int8 bundle, {name}: one question on one picture, processors' time of one thread",
        "answers/s",
        *(1e3 / median(alone[who].each_cpu_ms) for who in (REFERENCE, OURS)),
    )
    yield Comparison(
        f"int8 bundle, {name}: peak memory",
        "processes a GiB",
        *(1024 / median(one.peak_mib for one in measured[who]) for who in (REFERENCE, OURS)),
    )
    wanted = alone[REFERENCE].answers
    for who, (kind, place) in kinds.items():
        one = alone[who]
        yield Row(
            f"{name}: {who}",
            bytes_in(Path(place)) if kind is Kind.BUNDLE else _weights(Path(place)),
            one.start_s,
            one.each_ms,
            one.each_cpu_ms,
            one.peak_mib,
            joules[who],
            None if random else sum(map(str.__eq__, one.answers, wanted)) / len(wanted),
        )


def _weights(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))
