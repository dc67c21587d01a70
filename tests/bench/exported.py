"""One question on one picture: an exported int8 bundle against torch in float32, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from shared.vqa.names.model_names import resolve_model
from tests.bench.inference import full_size_model, make_pictures
from tests.bench.measure import Comparison
from trainer.export.bundle import Provenance, write_bundle, write_graphs
from trainer.export.families.opening import opened_exportable
from trainer.export.measure import ImageQuestions, Kind, Measurement, measure
from trainer.export.variants import Variant

THREADS = 2
TURNS = 3
QUESTION = "what color is the chair"


def bench_exported(folder: Path) -> Iterator[Comparison]:
    """Compare for blip-vqa-tiny."""
    yield from _compare("blip-vqa-tiny", resolve_model("blip-vqa-tiny"), folder, pictures=40)


def bench_exported_full_size(folder: Path) -> Iterator[Comparison]:
    """Compare for blip-vqa-base's sizes, with random weights; takes 6 GB of memory."""
    yield from _compare("full size", str(full_size_model(folder / "model")), folder, pictures=3)


def _compare(name: str, model: str, folder: Path, pictures: int) -> Iterator[Comparison]:
    bundle = _int8_bundle(model, folder)
    made = make_pictures(folder / "pictures", pictures, side=256)
    asked = [ImageQuestions(str(path), (QUESTION,)) for path in sorted(made.iterdir())]
    kinds = {"reference": (Kind.MODEL, model), "ours": (Kind.BUNDLE, str(bundle))}
    turns: dict[str, list[Measurement]] = {who: [] for who in kinds}
    for _ in range(TURNS):
        for who, (kind, place) in kinds.items():
            turns[who].append(measure(kind, place, asked, THREADS, f"{name}, {who}"))
    yield Comparison(
        f"int8 bundle, {name}: one question on one picture",
        "answers/s",
        *(1e3 / median(one.encode_ms + one.answer_ms for one in turns[who]) for who in kinds),
    )
    yield Comparison(
        f"int8 bundle, {name}: peak memory",
        "processes a GiB",
        *(1024 / median(one.peak_mib for one in turns[who]) for who in kinds),
    )


def _int8_bundle(model: str, folder: Path) -> Path:
    exportable = opened_exportable(model)
    graphs = folder / "graphs"
    graphs.mkdir()
    list(write_graphs(exportable, graphs))
    provenance = Provenance("of the bench", "", "")
    write_bundle(graphs, exportable, Variant.INT8, provenance, folder / "int8")
    return folder / "int8"
