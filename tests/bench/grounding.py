"""Does VTGS's visual term mean something? ``python -m tests.bench.grounding``.

On pictures where the truth is known, by layer and by the share of a map that makes a region:

- *sim_vis*: answers of the shipped model, with their own picture and with another one shown to the
  same question and answer. A grounded answer must overlap its question more with its own picture.
- *boxes*: the same against the object's box, as ``vtgs_boxes`` does.
- *truth*: how much of the answer's map lies on the product (ABO, white background), on a product
  pasted small onto a bare ground, or on the shape (easy-VQA), against the share of the area there.

Needs the ABO sample in ``../shared/abo``; its images are those that the model never saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import easy_vqa
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from evaluator.metrics.meaning.vtgs import jaccard
from evaluator.scoring.sums.intervals import bootstrap_means, percentile_interval
from shared.corpus import read_pairs
from shared.dataset.splits import split_units
from shared.dataset.units import units_of
from shared.images.fingerprints import looks_in
from shared.records import QAPair
from shared.records.boxes import Box
from shared.records.grouping import by_image
from shared.records.patches import box_patches
from shared.vqa.blip.grounding import Regions, grounding_regions, strongest_patches
from shared.vqa.blip.inference import answer_questions, remember_images
from shared.vqa.loaded import LoadedModel
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization

ABO = Path(__file__).parents[3] / "shared" / "abo"
MASSES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
BATCH = 40
PASTED, CANVAS = 96, 256
"""Sides of a product that is pasted and of the ground it lies on, in pixels."""


@dataclass(frozen=True)
class Case:
    """A picture, the file it came from, and what is asked about it; ``answer`` "" for the model's.

    ``truth_P`` marks the share of each patch that the answer's object covers, ``box_P`` the patches
    of its box.
    """

    name: str
    picture: Image.Image
    questions: tuple[str, ...]
    answer: str
    truth_P: NDArray[np.float64]
    box_P: NDArray[np.bool_]


@dataclass(frozen=True)
class Looked:
    """Maps of N questions with their own picture and with another, by layer; what is true of it."""

    names: list[str]
    own: list[list[Regions]]
    other: list[list[Regions]]
    truth_NP: NDArray[np.float64]
    box_NP: NDArray[np.bool_]


app = typer.Typer(add_completion=False)


@app.command()
def bench(images: Annotated[int, typer.Option(help="pictures of each kind")] = 400) -> None:
    """Measure and print."""
    model = load_blip("blip-vqa-tiny", quantization=Quantization.NONE)
    size = model.blip.config.vision_config.image_size
    side = size // model.blip.config.vision_config.patch_size
    unseen = _unseen(images)
    kinds = {
        "ABO": [_product(name, pairs, side) for name, pairs in unseen.items()],
        "pasted": [_pasted(name, pairs, side) for name, pairs in unseen.items()],
        "easy-VQA": _shapes(images, side),
    }
    for kind, cases in kinds.items():
        looked = _look(model, cases)
        Console().print(_truth_table(kind, looked))
        Console().print(_overlap_table(kind, looked))
        Console().print(_boxes_table(kind, looked))


def _unseen(count: int) -> dict[str, list[QAPair]]:
    pairs = read_pairs(ABO / "vqa.csv")
    # As `trainer pretrain` divided them for the shipped model.
    looks = looks_in(ABO / "images" / "small", (pair.filename for pair in pairs))
    split = split_units(units_of(pairs, looks))
    tested = by_image(pair for pair in pairs if split[pair.filename] == "test")
    return dict(sorted(tested.items())[:count])


def _product(name: str, pairs: Sequence[QAPair], side: int) -> Case:
    picture = Image.open(ABO / "images" / "small" / name).convert("RGB")
    asked = tuple(pair.question for pair in pairs)
    return Case(name, picture, asked, "", *_truth(_not_white(picture), side))


def _pasted(name: str, pairs: Sequence[QAPair], side: int) -> Case:
    dice = np.random.default_rng(int.from_bytes(name.encode()[:8], "big"))
    left, top = dice.integers(CANVAS - PASTED, size=2)
    small = Image.open(ABO / "images" / "small" / name).convert("RGB").resize((PASTED, PASTED))
    canvas = Image.new("RGB", (CANVAS, CANVAS), "white")
    canvas.paste(small, (int(left), int(top)))
    asked = tuple(pair.question for pair in pairs)
    return Case(name, canvas, asked, "", *_truth(_not_white(canvas), side))


def _shapes(count: int, side: int) -> list[Case]:
    questions, answers, ids = easy_vqa.get_test_questions()
    paths = easy_vqa.get_test_image_paths()
    cases = {}
    for question, answer, image in zip(questions, answers, ids, strict=True):
        if "what color" not in question or image in cases or len(cases) == count:
            continue
        picture = Image.open(paths[image]).convert("RGB")
        truth = _truth(shape_mask(picture), side)
        cases[image] = Case(str(image), picture, (question,), answer, *truth)
    return list(cases.values())


def shape_mask(picture: Image.Image) -> NDArray[np.bool_]:
    """Return where the shape of an easy-VQA picture is: one full colour on pale noise, (H, W)."""
    pixels = np.asarray(picture, dtype=np.int64)
    shape: NDArray[np.bool_] = pixels.max(-1) - pixels.min(-1) > 60
    return shape | (pixels.max(-1) < 140)


def _not_white(picture: Image.Image) -> NDArray[np.bool_]:
    pixels: NDArray[np.uint8] = np.asarray(picture)
    mask: NDArray[np.bool_] = pixels.min(axis=-1) < 235
    return mask


def _truth(mask_HW: NDArray[np.bool_], side: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the share of each patch that an object covers, and the patches of its box, (P,)."""
    return _shares(mask_HW, side), box_patches([bounding_box(mask_HW)], side, side).ravel()


def bounding_box(mask_HW: NDArray[np.bool_]) -> Box:
    """Return the box of an object of at least one pixel."""
    height, width = mask_HW.shape
    rows, columns = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    return Box(
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def _shares(mask_HW: NDArray[np.bool_], side: int) -> NDArray[np.float64]:
    """Return the share of each of side x side patches that a mask covers, shape (P,)."""
    image = Image.fromarray((mask_HW * 255).astype(np.uint8))
    small = image.resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64).ravel() / 255


def _look(model: LoadedModel, cases: Sequence[Case]) -> Looked:
    layers = len(model.blip.text_encoder.encoder.layer)
    names: list[str] = []
    truth: list[NDArray[np.float64]] = []
    boxes: list[NDArray[np.bool_]] = []
    own: list[list[Regions]] = [[] for _ in range(layers)]
    other: list[list[Regions]] = [[] for _ in range(layers)]
    for start in range(0, len(cases), BATCH):
        part = cases[start : start + BATCH]
        memory = remember_images(model, [case.picture for case in part])
        rows = [(place, question) for place, case in enumerate(part) for question in case.questions]
        image_of, questions = [place for place, _ in rows], [question for _, question in rows]
        said = answer_questions(model, memory, image_of, questions)
        answers = [
            part[place].answer or answer.text for place, answer in zip(image_of, said, strict=True)
        ]
        elsewhere = [(place + 1) % len(part) for place in image_of]
        for layer in range(layers):
            own[layer] += grounding_regions(
                model, memory, image_of, questions, answers, layer=layer
            )
            other[layer] += grounding_regions(
                model, memory, elsewhere, questions, answers, layer=layer
            )
        names += [part[place].name for place in image_of]
        truth += [part[place].truth_P for place in image_of]
        boxes += [part[place].box_P for place in image_of]
    return Looked(names, own, other, np.stack(truth), np.stack(boxes))


def _truth_table(kind: str, looked: Looked) -> Table:
    table = Table(title=f"{kind}: share of the map on the object, {len(looked.names):,} questions")
    for heading in ("layer", "answer's map", "question's map", "area", "answer's less area"):
        table.add_column(heading, justify="right")
    area_N = looked.truth_NP.mean(axis=1)
    for layer, regions in enumerate(looked.own, start=1):
        on_answer_N = _on_object(looked, [region.answer_map_P for region in regions])
        on_question_N = _on_object(looked, [region.question_map_P for region in regions])
        table.add_row(
            str(layer),
            f"{on_answer_N.mean():.3f}",
            f"{on_question_N.mean():.3f}",
            f"{area_N.mean():.3f}",
            _with_interval(on_answer_N - area_N, looked.names),
        )
    return table


def _on_object(looked: Looked, maps: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    maps_NP = np.stack(maps).astype(np.float64)
    total_N = np.maximum(maps_NP.sum(axis=1), 1e-30)
    shares: NDArray[np.float64] = (maps_NP * looked.truth_NP).sum(axis=1) / total_N
    return shares


def _overlap_table(kind: str, looked: Looked) -> Table:
    return _contrast(
        f"{kind}: sim_vis with the own picture and with another",
        looked,
        lambda regions, mass: jaccard(
            _marked([region.answer_map_P for region in regions], mass),
            _marked([region.question_map_P for region in regions], mass),
        ),
    )


def _boxes_table(kind: str, looked: Looked) -> Table:
    return _contrast(
        f"{kind}: sim_vis against boxes with the own picture and with another, boxes "
        f"{looked.box_NP.mean():.3f} of the area",
        looked,
        lambda regions, mass: jaccard(
            _marked([region.answer_map_P for region in regions], mass), looked.box_NP
        ),
    )


def _contrast(
    title: str,
    looked: Looked,
    overlap: Callable[[Sequence[Regions], float], NDArray[np.float64]],
) -> Table:
    table = Table(title=title)
    for heading in ("layer", "region mass", "own", "another", "difference", "in deviations"):
        table.add_column(heading, justify="right")
    for layer, (own, other) in enumerate(zip(looked.own, looked.other, strict=True), start=1):
        for mass in MASSES:
            own_N, other_N = overlap(own, mass), overlap(other, mass)
            gain_N = own_N - other_N
            table.add_row(
                str(layer),
                f"{mass:.1f}",
                f"{own_N.mean():.3f}",
                f"{other_N.mean():.3f}",
                _with_interval(gain_N, looked.names),
                f"{gain_N.mean() / max(gain_N.std(), 1e-9):+.2f}",
            )
    return table


def _marked(maps: Sequence[NDArray[np.float32]], mass: float) -> NDArray[np.bool_]:
    return np.stack([strongest_patches(map_P, mass) for map_P in maps])


def _with_interval(values_N: NDArray[np.float64], names: Sequence[str]) -> str:
    images, place_N = np.unique(names, return_inverse=True)
    sums = np.bincount(place_N, weights=values_N, minlength=len(images))
    counts = np.bincount(place_N, minlength=len(images)).astype(np.float64)
    interval = percentile_interval(bootstrap_means(sums[:, None], counts[:, None])[:, 0])
    low, high = interval or (np.nan, np.nan)
    return f"{values_N.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


if __name__ == "__main__":
    app()
