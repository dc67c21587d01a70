"""Models that are no BLIP answer from a bundle as they do in transformers."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from evaluator.answering.bundle import BundleAnswerer
from shared.onnx_vqa import MANIFEST
from shared.onnx_vqa.pictures import pixels_by
from shared.onnx_vqa.runtime import OnnxVqa
from shared.vqa.families import load_answerer
from shared.vqa.quantization import Quantization
from tests.chat_models.whole import save_llava
from tests.families import IMAGE_SIDE, save_blip2_opt, save_vilt
from tests.trainer.export.damages import told_of
from trainer.export.bundle import Provenance, write_bundle, write_graphs
from trainer.export.families.opening import opened_exportable
from trainer.export.variants import Variant

pytestmark = pytest.mark.slow
SAVED = {"vilt": save_vilt, "blip2-opt": save_blip2_opt, "llava": save_llava}
QUESTIONS = ("What color is it?", "  is <image> it red? ", "what", "how many legs has the chair")


@pytest.fixture(scope="module")
def pictures():
    """Pictures; the first ones have the size that models read, so that nobody resizes them."""
    noise = np.random.default_rng(0)
    sizes = [(IMAGE_SIDE, IMAGE_SIDE)] * 4 + [(71, 47), (90, 40), (300, 500)]
    return [Image.fromarray(noise.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]


@pytest.fixture(
    scope="module",
    # It runs the same language graph as LLaVA.
    params=["vilt", pytest.param("blip2-opt", marks=pytest.mark.long), "llava"],
)
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    exportable = opened_exportable(str(SAVED[request.param](folder / "model")))
    graphs = folder / "graphs"
    graphs.mkdir()
    list(write_graphs(exportable, graphs))
    for variant in (Variant.FLOAT32, Variant.INT8):
        write_bundle(graphs, exportable, variant, Provenance("tiny", "r1", ""), folder / variant)
    return folder


def test_a_bundle_answers_and_says_what_the_model_does(exported, pictures):
    model = load_answerer(
        str(exported / "model"), quantization=Quantization.NONE, device=torch.device("cpu")
    )
    bundle = BundleAnswerer(str(exported / "float32"))
    # torchvision, which chat models are read with, resizes to other grey levels than Pillow.
    some = pictures[:4] if model.cleaning else pictures
    asked = [(at, question) for question in QUESTIONS for at in range(len(some))]
    wanted, answers = (
        one.answer(
            one.remember([one.prepare(picture) for picture in some]),
            [at for at, _ in asked],
            [question for _, question in asked],
        )
        for one in (model, bundle)
    )
    assert len({answer.text for answer in wanted}) > 3
    assert [answer.text for answer in answers] == [answer.text for answer in wanted]
    assert [answer.confidence for answer in answers] == pytest.approx(
        [answer.confidence for answer in wanted], rel=1e-2
    )
    assert bundle.facts().answer_cleaning == model.cleaning


def test_an_answer_does_not_depend_on_what_is_asked_beside_it(exported, pictures):
    for variant in (Variant.FLOAT32, Variant.INT8):
        bundle = OnnxVqa(exported / variant, threads=1)
        together = bundle.ask(pictures[0], *QUESTIONS)
        for question, wanted in zip(QUESTIONS, together, strict=True):
            [alone] = bundle.ask(pictures[0], question)
            assert alone.text == wanted.text
            assert alone.confidence == pytest.approx(wanted.confidence, rel=1e-2)


def test_a_manifest_that_was_damaged_by_hand_answers_or_is_refused_in_one_line(exported, tmp_path):
    said = told_of(exported / "float32", tmp_path / "damaged")
    assert len(said) > 100
    assert not [line for line in said if "\n" in line]


def test_pixels_are_those_of_the_processor(exported, pictures):
    model = load_answerer(
        str(exported / "model"), quantization=Quantization.NONE, device=torch.device("cpu")
    )
    manifest = json.loads((exported / "float32" / MANIFEST).read_text(encoding="utf-8"))
    for picture in pictures:
        pixels = pixels_by(manifest["image"], picture)
        prepared = model.prepare(picture)
        if not model.cleaning:
            assert np.array_equal(pixels, prepared.numpy())
            continue
        wanted = prepared.asked("what")["pixel_values"].numpy()
        assert pixels.shape == wanted.shape
        std_C11 = np.array(manifest["image"]["std"])[:, None, None]
        # In grey levels: torchvision resizes by weights of 16 bits, Pillow by finer ones.
        assert (np.abs(pixels - wanted) * std_C11 * 255).max() < 1.01
