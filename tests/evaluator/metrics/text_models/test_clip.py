"""vtgs_clip with a small random CLIP: open_clip's real architecture, only small."""

import json

import numpy as np
import pytest
from PIL import Image

open_clip = pytest.importorskip("open_clip", reason="the extra `clip` is not installed")

import torch  # noqa: E402

from evaluator.__main__ import app  # noqa: E402
from evaluator.metrics.loading import load_text_models  # noqa: E402
from evaluator.metrics.registry import METRICS  # noqa: E402
from evaluator.metrics.text_models.clip import ClipScorer  # noqa: E402
from evaluator.scoring.scoring import score_predictions  # noqa: E402
from shared.corpus import write_predictions  # noqa: E402
from shared.errors import InputError, StoreUnreachable  # noqa: E402
from shared.program.cli import run_program  # noqa: E402
from tests.evaluator.predictions import predicted  # noqa: E402

SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
FILES = ["red.png", "blue.png", "red.png", "striped.png"]
ANSWERS = ["Red.", "red", "a chair", "red"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, and the checkpoint of a small CLIP."""
    folder = tmp_path_factory.mktemp("clip")
    configs = folder / "configs"
    configs.mkdir()
    (configs / "abo-vqa-small.json").write_text(json.dumps(SMALL))
    open_clip.add_model_config(configs)
    torch.manual_seed(0)
    torch.save(open_clip.create_model("abo-vqa-small").state_dict(), folder / "small.pt")
    for name in ("red", "blue"):
        Image.new("RGB", (40, 30), name).save(folder / f"{name}.png")
    stripes = np.zeros((64, 48, 3), np.uint8)
    stripes[::4] = 255
    Image.fromarray(stripes).save(folder / "striped.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    return folder


@pytest.fixture(scope="module")
def clip(folder):
    return ClipScorer("abo-vqa-small", str(folder / "small.pt"), str(folder))


def test_cosines_equal_open_clip_used_row_by_row(clip, folder):
    model, _, preprocess = open_clip.create_model_and_transforms(
        "abo-vqa-small", pretrained=str(folder / "small.pt")
    )
    tokenize = open_clip.get_tokenizer("abo-vqa-small")
    expected = []
    with torch.inference_mode():
        for name, answer in zip(FILES, ["red", "red", "a chair", "red"], strict=True):
            image = model.encode_image(preprocess(Image.open(folder / name))[None])
            text = model.encode_text(tokenize([answer]))
            expected.append(float(torch.cosine_similarity(image, text)))
    assert len({round(value, 4) for value in expected}) == 4
    assert clip.cosines(FILES, ANSWERS) == pytest.approx(expected, abs=1e-5)


def test_each_picture_and_each_distinct_answer_is_embedded_once(folder):
    scorer = ClipScorer("abo-vqa-small", str(folder / "small.pt"), str(folder))
    seen = []
    scorer._model.visual.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    scorer.cosines(FILES, ANSWERS)
    scorer.cosines(FILES[:2], ["blue", "red"])
    assert seen == [3]


def test_vtgs_clip_is_the_root_of_bertscore_times_the_shifted_cosine(folder, clip):
    models = load_text_models(
        [METRICS["vtgs_clip"]],
        bertscore_model="all-MiniLM-L6-v2",
        clip_model="abo-vqa-small",
        clip_weights=str(folder / "small.pt"),
        images=str(folder),
    )
    rows = [predicted(a, "red", image=f) for f, a in zip(FILES, ANSWERS, strict=True)]
    rows.append(predicted("red", "red", image="broken.png"))
    scorecard, columns = score_predictions(
        rows,
        metrics=[METRICS["vtgs_clip"]],
        text_models=models,
        train_pairs=None,
        provenance={},
    )
    f1 = models.words.f1(ANSWERS, ["red"] * 4)
    expected = np.sqrt(f1 * (clip.cosines(FILES, ANSWERS) + 1) / 2)
    assert columns["vtgs_clip"][:4] == pytest.approx(expected, abs=1e-6)
    assert columns["vtgs_clip"][4] == 0
    signature = scorecard.signatures["vtgs_clip"]
    assert signature.startswith("abo-vqa-small small.pt@")
    assert "all-MiniLM-L6-v2@" in signature


def test_the_command_scores_with_weights_from_a_file(folder, clip, tmp_path, capsys):
    rows = [predicted(a, "red", image=f) for f, a in zip(FILES, ANSWERS, strict=True)]
    write_predictions(rows, tmp_path / "answers.csv", {})
    arguments = ["score", tmp_path / "answers.csv", "--metrics", "vtgs_clip", "--images", folder]
    arguments += ["--clip-model", "abo-vqa-small", "--clip-weights", folder / "small.pt"]
    arguments += ["--bertscore-model", "all-MiniLM-L6-v2", "--json"]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(argument) for argument in arguments])
    assert leaving.value.code == 0
    scorecard = json.loads(capsys.readouterr().out)
    models = load_text_models([METRICS["bertscore_f1"]], bertscore_model="all-MiniLM-L6-v2")
    f1 = models.words.f1(ANSWERS, ["red"] * 4)
    expected = np.sqrt(f1 * (clip.cosines(FILES, ANSWERS) + 1) / 2).mean()
    assert scorecard["metrics"]["vtgs_clip"]["mean"] == pytest.approx(expected, abs=1e-6)
    assert clip.signature in scorecard["signatures"]["vtgs_clip"]


def test_other_weights_have_another_signature(folder, clip):
    torch.manual_seed(1)
    torch.save(open_clip.create_model("abo-vqa-small").state_dict(), folder / "other.pt")
    other = ClipScorer("abo-vqa-small", str(folder / "other.pt"), str(folder))
    assert other.signature.split("@")[1] != clip.signature.split("@")[1]


@pytest.mark.parametrize(
    ("model", "weights", "reason"),
    [
        ("abo-vqa-smal", "small.pt", "no such model"),
        ("abo-vqa-small", "missing.pt", "neither a checkpoint file nor one of"),
        ("ViT-B-32-quickgelu", "small.pt", "no weights of ViT-B-32-quickgelu"),
    ],
)
def test_a_model_that_is_not_there_is_refused(folder, model, weights, reason):
    with pytest.raises(InputError, match=reason):
        ClipScorer(model, str(folder / weights), str(folder))


def test_pictures_that_are_not_there_are_refused(folder, clip, tmp_path):
    with pytest.raises(StoreUnreachable, match="the folder is empty"):
        ClipScorer("abo-vqa-small", str(folder / "small.pt"), str(tmp_path)).cosines(
            ["a.jpg"], ["red"]
        )
    (tmp_path / "of-another-set.jpg").touch()
    with pytest.raises(InputError, match="none of the 1 pictures is there"):
        ClipScorer("abo-vqa-small", str(folder / "small.pt"), str(tmp_path)).cosines(
            ["a.jpg"], ["red"]
        )
    with pytest.raises(InputError, match="no such folder"):
        ClipScorer("abo-vqa-small", str(folder / "small.pt"), str(tmp_path / "none"))
    with pytest.raises(InputError, match="name them with --images DIR"):
        load_text_models([METRICS["vtgs_clip"]], bertscore_model="all-MiniLM-L6-v2")
