"""A folder as the README and the pages beside the guides take it for granted, half-way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from evaluator.metrics.loading import load_text_models
from evaluator.metrics.registry import METRICS
from shared.corpus import write_csv_rows
from shared.dataset.folder import write_dataset
from tests.curator.pictures import write_abo, write_answers
from tests.docs.written import PAGES, ROOT, blocks
from tests.evaluator.run_folders import answers, draw_images, make_run
from tests.models import save_tiny_model
from tests.pictures import draw_gallery

RUNS = {
    **{name: range(4) for name in ("adapter", "candidate", "rank16", "validation")},
    **{name: range(12) for name in ("base", "main", "rank8", "rank32")},
    "test": [*range(40, 44), *range(4)],
}
"""Runs by name, and which of their answers are wrong."""


CAMPAIGN = """trainer fit recipe.toml --set epochs=1
curator run --catalog abo --keys keys.toml --ledger abo.db
curator export --ledger abo.db --to label-studio --sample 5 --out from-label-studio.json
curator export --ledger abo.db --to argilla --sample 5 --out argilla-back"""
JUDGED = "curator review --ledger abo.db --import from-label-studio.json"


def open_shop(folder: Path, pictures_url: str) -> Path:
    """Write the folder: a catalogue with keys, data with pictures, a model with adapters, runs.

    Whoever opens it types ``CAMPAIGN``, and then lets people judge.
    """
    write_abo(folder / "abo", 20)
    pairs = draw_gallery(folder / "abo/images/small", 10, [*["train"] * 3, "validation", "test"])
    shutil.copytree(folder / "abo/images/small", folder / "images")
    write_dataset(pairs, folder / "dataset", source={}, split_rule={})
    # Nobody waits here for the next minute's quota.
    keys = _block("README", "GEMINI_KEY_LAPTOP").replace("rpm = 10", "rpm = 6000")
    (folder / "keys.toml").write_text(keys, encoding="utf-8")
    _write_tables(folder, pictures_url)
    _write_models(folder)
    draw_images(folder / "pictures", 4)
    _write_runs(folder)
    shutil.copytree(ROOT / "docs/operating", folder / "docs/operating")
    return folder


def judge(folder: Path) -> None:
    """Let people on other pages judge what they were given."""
    verdict = {"from_name": "decision", "type": "choices", "value": {"choices": ["accepted"]}}
    answered = {
        "from-label-studio.json": {"annotations": [{"completed_by": 7, "result": [verdict]}]},
        "argilla-back/records.json": {
            "responses": {"decision": [{"value": "accepted", "user_id": "u1"}]}
        },
    }
    for name, verdicts in answered.items():
        records = json.loads((folder / name).read_text(encoding="utf-8"))
        judged = [record | verdicts for record in records]
        (folder / name).write_text(json.dumps(judged), encoding="utf-8")


def _write_tables(folder: Path, pictures_url: str) -> None:
    write_answers(folder / "abo/images/small", folder / "vqa.csv")
    for name, place in (("shop.csv", "images"), ("products_export.csv", pictures_url)):
        products = [
            {"id": f"p{number}", "image": f"{place}/{number:03}.png", "title": "Round tile"}
            for number in range(4)
        ]
        write_csv_rows(list(products[0]), products, folder / name)
    for name, words in (("short.toml", 1), ("long.toml", 3)):
        (folder / name).write_text(f"answer_words = {words}\n", encoding="utf-8")
    colour = "What is the colour of the handle?"
    asked = [
        {"id": f"q{number}", "question": colour, "filename": f"{number:02x}/{number:08x}.jpg"}
        for number in range(2)
    ]
    write_csv_rows(list(asked[0]), asked, folder / "questions.csv")
    shown = {"question": "what color is the shape", "answer": "red", "prediction": "dark red"}
    answered = [{"id": f"a{number}", "filename": f"00{number}.png"} | shown for number in range(2)]
    for place in ("predictions.csv", "answers.csv", "runs/old/predictions.csv"):
        write_csv_rows(list(answered[0]), answered, folder / place)


def _write_runs(folder: Path) -> None:
    metrics = ("exact_match", "csns")
    texts = load_text_models([METRICS[name] for name in metrics])
    for name, wrong in RUNS.items():
        rows = answers(80, wrong)
        make_run(
            folder / "runs" / name,
            rows[40:] if name == "test" else rows[:40],
            folder / "pictures",
            model=name,
            metrics=metrics,
            text_models=texts,
        )


def _write_models(folder: Path) -> None:
    model = save_tiny_model(folder / "model")
    shutil.copy(folder / "images/000.png", folder / "chair.jpg")
    recipe = _block("README", 'Salesforce/blip-vqa-base"\ndata')
    recipe = recipe.replace("Salesforce/blip-vqa-base", str(model))
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")


def _block(page: str, text: str) -> str:
    [block] = [each for each in blocks(PAGES[page].read_text(encoding="utf-8")) if text in each]
    return block
