"""What `lora.targets` may be: as in PEFT, or one line that says so."""

import json

import pytest
from peft import LoraConfig, get_peft_model

from shared.errors import InputError
from shared.program.cli import run_program
from shared.program.settings import load_settings
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.quantization import Quantization
from tests.families import save_vilt
from tests.models import learner_of_blip, load_float
from tests.trainer.recipes import fit_settings, write_data, write_recipe
from trainer.__main__ import app
from trainer.fitting.adapter import add_adapter, lora_layers, require_targets, unmatched_targets
from trainer.learners.families import load_learner
from trainer.recipe.recipe import FitRecipe, LoraRecipe

EXPRESSION = r".*text_encoder.*\.(query|value)"
OUTPUT = "text_decoder.cls.predictions.decoder"


def layers_of(model, targets):
    return set(lora_layers(add_adapter(learner_of_blip(load_float(model)), recipe(targets)).peft))


def recipe(targets):
    return LoraRecipe(rank=2, dropout=0, targets=targets)


def layers_of_peft(model, targets):
    with quiet_renames():
        peft = get_peft_model(load_float(model).network, LoraConfig(r=2, target_modules=targets))
    return set(lora_layers(peft))


@pytest.mark.parametrize("targets", [EXPRESSION, ["query", "self.value"], ["qkv"]])
def test_targets_match_what_peft_matches(tiny_model, targets):
    assert layers_of(tiny_model, targets) == layers_of_peft(tiny_model, targets)


@pytest.mark.parametrize("targets", ["all-linear", "All-Linear"])
def test_all_linear_leaves_out_what_says_the_answer(tiny_model, targets, tmp_path):
    layers = layers_of(tiny_model, targets)
    assert layers == layers_of_peft(tiny_model, "all-linear") - {OUTPUT}
    assert any(name.startswith("vision_model.") for name in layers)
    vilt = load_learner(str(save_vilt(tmp_path / "vilt")), quantization=Quantization.NONE)
    assert "classifier.3" not in lora_layers(add_adapter(vilt, recipe(targets)).peft)


@pytest.mark.parametrize(
    ("targets", "encodes_anew"), [(EXPRESSION, False), ("all-linear", True), (r".*\.qkv", True)]
)
def test_features_are_kept_only_where_nothing_that_makes_them_is_trained(
    tiny_model, targets, encodes_anew
):
    learner = learner_of_blip(load_float(tiny_model))
    adapter = add_adapter(learner, recipe(targets))
    assert learner.trains_image_encoder is encodes_anew
    assert unmatched_targets(adapter) == []


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        (["querry"], r"\['querry'\] match no layer .*; near are query"),
        (["text_encoder.qury"], "near are query"),
        ("query", r"'query' match no layer of .* as a whole name \(.*query has it inside"),
        (".*encodr.*query", "'.*encodr.*query' match no layer"),
        (
            ["attention"],
            "match .*attention, a Blip.*, which cannot have an update; name what is inside it",
        ),
        (".*crossattention", "which cannot have an update; name what is inside it, such as text_"),
    ],
)
def test_targets_that_are_no_layer_are_told_before_and_after_loading(tiny_model, targets, reason):
    with pytest.raises(InputError, match=reason):
        require_targets(str(tiny_model), recipe(targets), Quantization.NONE)
    with pytest.raises(InputError, match=reason):
        layers_of(tiny_model, targets)


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("lora.targets=3", 'lora.targets: 3 was given; give "auto", "all-linear", a list'),
        ("lora.targets=[1]", "lora.targets: [1] was given; give"),
        ("lora.targets=[]", "lora.targets: names no layer; give"),
        ("lora.targets=(", "lora.targets: '(' is no regular expression"),
        ('lora.targets=" "', "lora.targets: is empty; give"),
        ("track=wandb", "track: a list was expected"),
        ("gradient_checkpointing=perhaps", "true or false was expected, or must be 'auto'; 'perh"),
        ("lora.rank=1.5", "lora.rank: an integer was expected, such as 3; 1.5 was given"),
    ],
)
def test_a_setting_that_does_not_fit_is_a_plain_sentence(tmp_path, override, reason):
    path = write_recipe(tmp_path / "recipe.toml", fit_settings(tmp_path, tmp_path))
    with pytest.raises(InputError) as refused:
        load_settings(FitRecipe, path, [override])
    assert reason in str(refused.value)
    assert "tuple[" not in str(refused.value)
    assert "\n" not in str(refused.value)


def run_trainer(*words) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", list(map(str, words)))
    return leaving.value.code


def test_an_expression_is_trained_merged_and_kept(tiny_model, tmp_path, capsys):
    write_data(tmp_path)
    path = write_recipe(tmp_path / "recipe.toml", fit_settings(tiny_model, tmp_path, epochs=1))
    out = tmp_path / "out"
    assert run_trainer("fit", path, "--set", f"lora.targets={EXPRESSION}") == 0
    config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["target_modules"] == EXPRESSION
    assert run_trainer("merge", out, "--out", tmp_path / "merged") == 0
    assert run_trainer("fuse", out, out, "--out", tmp_path / "fused") == 2
    assert "each adapter once" in capsys.readouterr().err
