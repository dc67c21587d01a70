"""The recipe's defaults are the report's, and what is printed parses back to them."""

import tomllib
from pathlib import Path

import pytest

from shared.files.cache import CACHE_VARIABLE
from shared.program.cli import run_program
from shared.program.settings import load_settings
from trainer.__main__ import app
from trainer.learners.blip import BlipLearner
from trainer.pretraining.recipe import PretrainRecipe
from trainer.recipe.recipe import FitRecipe
from trainer.recipe.template import commented_toml, toml_value

PLACES = {"data": "dataset", "images": "abo/images/small", "out": "adapter"}
TABLES = ("lora", "split", "sweep", "regions")


@pytest.mark.parametrize(
    ("words", "kind", "places"),
    [
        ([], FitRecipe, PLACES),
        (["pretrain"], PretrainRecipe, PLACES | {"out": "model"}),
    ],
)
def test_the_printed_recipe_parses_back_to_the_defaults(tmp_path, capsys, words, kind, places):
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["recipe", *words])
    assert leaving.value.code == 0
    path = tmp_path / "recipe.toml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert load_settings(kind, path) == kind(**places)


def test_every_setting_is_printed_below_its_description():
    text = commented_toml(FitRecipe)
    printed = tomllib.loads(text)
    assert set(printed) == set(FitRecipe.model_fields)
    for table in (
        FitRecipe,
        *(type(getattr(FitRecipe(**PLACES), name)) for name in TABLES),
    ):
        for name, field in table.model_fields.items():
            assert field.description, name
            assert field.description.split(";")[0].split()[0] in text


def test_the_defaults_are_those_of_the_report():
    recipe = FitRecipe(**PLACES)
    assert (recipe.model, recipe.quantize) == ("Salesforce/blip-vqa-base", "nf4")
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.dropout) == (16, 32, 0.05)
    assert recipe.lora.targets == "auto"
    assert BlipLearner.default_targets == ("q_proj", "k_proj", "v_proj", "query", "key", "value")
    assert (recipe.epochs, recipe.learning_rate, recipe.weight_decay) == (3, 5e-5, 0.01)
    assert (recipe.batch_size, recipe.evaluation_batch_size) == (8, 16)
    assert (recipe.max_question_tokens, recipe.max_answer_tokens) == (128, 128)
    assert (recipe.warmup_min_steps, recipe.warmup_fraction) == (100, 0.1)


def test_encoded_images_are_kept_in_the_cache_unless_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert FitRecipe(**PLACES).features_folder == tmp_path / "features"
    assert FitRecipe(**PLACES).absolute().feature_store == tmp_path / "features"
    named = FitRecipe(**PLACES, feature_store="~/elsewhere")
    assert named.features_folder == Path.home() / "elsewhere"


@pytest.mark.parametrize(
    "value", [True, 3, 5e-05, 'a "quoted" \\ path', ["a", "b"], [], "zwölf", "tab\tand\nline"]
)
def test_a_value_survives_toml(value):
    assert tomllib.loads(f"value = {toml_value(value)}") == {"value": value}


def test_what_toml_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="no place in TOML"):
        toml_value(None)
