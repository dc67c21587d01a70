"""The kinds of adapter: each trains, is saved as a PEFT folder, and loads on the base as it was."""

import pytest
import torch

from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from tests.models import TEXT_TARGETS, learner_of_blip, load_float, load_nf4
from tests.trainer.losses import loss_of
from trainer.fitting.adapter import (
    add_adapter,
    base_weight,
    lora_layers,
    matched_layers,
    name_base,
    require_targets,
    unmatched_targets,
)
from trainer.learners.blip import REPORT_TARGETS
from trainer.recipe.recipe import LoraRecipe

KINDS = [
    (Quantization.NF4, {}),
    (Quantization.NONE, {"rslora": True}),
    (Quantization.NF4, {"dora": True, "rslora": True}),
    (Quantization.NF4, {"start": "gaussian"}),
    (Quantization.NONE, {"start": "pissa"}),
    (Quantization.NONE, {"start": "pissa", "rslora": True}),
    (Quantization.NF4, {"start": "loftq", "rslora": True}),
    (Quantization.INT8, {}),
    (Quantization.HQQ2, {"start": "loftq"}),
]


def lora(**changes) -> LoraRecipe:
    return LoraRecipe(**{"rank": 4, "alpha": 8, "dropout": 0, "targets": TEXT_TARGETS} | changes)


@pytest.mark.parametrize(("quantization", "kind"), KINDS, ids=str)
def test_an_adapter_of_each_kind_trains_and_loads_again(tiny_model, tmp_path, quantization, kind):
    model = load_blip(str(tiny_model), quantization=quantization)
    base_loss = float(loss_of(model))
    torch.manual_seed(0)
    adapter = add_adapter(learner_of_blip(model), lora(**kind))
    with adapter.base_alone():
        assert float(loss_of(model)) == pytest.approx(base_loss, rel=1e-4)
    optimizer = torch.optim.AdamW((p for p in adapter.peft.parameters() if p.requires_grad), 1e-3)
    for _ in range(4):
        loss_of(model, train=True).backward()
        optimizer.step()
        optimizer.zero_grad()
    trained = float(loss_of(model))
    assert trained < 0.9 * base_loss
    adapter.save(tmp_path / "adapter")
    again = load_blip(str(tiny_model), adapter=tmp_path / "adapter", quantization=quantization)
    assert float(loss_of(again)) == pytest.approx(trained, rel=1e-4)


def test_loftq_starts_nearer_to_the_exact_base_than_4_bits_alone(tiny_model):
    exact = load_float(tiny_model)
    model = load_nf4(tiny_model)
    adapter = add_adapter(learner_of_blip(model), lora(rank=32, alpha=16, start="loftq"))
    for name, layer in lora_layers(adapter.peft).items():
        wanted = exact.blip.get_submodule(name).weight
        update = layer.get_delta_weight("default")
        off = torch.linalg.norm(base_weight(layer) - wanted)
        assert torch.linalg.norm(base_weight(layer) + update - wanted) < 0.6 * off, name


@pytest.mark.parametrize(
    ("load", "kind", "reason"),
    [
        (load_nf4, {"start": "pissa"}, "cannot be done in rounded ones; set quantize"),
        (load_float, {"start": "loftq"}, 'set quantize = "nf4"'),
        (load_float, {"start": "pissa", "dora": True}, "leave out one of them"),
        (load_nf4, {"start": "loftq", "dora": True}, "leave out one of them"),
        (load_float, {"targets": ("q_proj",)}, r"\['q_proj'\] match no layer"),
    ],
)
def test_kinds_that_do_not_go_together_are_refused(tiny_model, load, kind, reason):
    with pytest.raises(InputError, match=reason):
        add_adapter(learner_of_blip(load(tiny_model)), lora(**kind))


def test_what_passes_no_gradients_is_refused_before_a_weight_is_read(tiny_model):
    with pytest.raises(InputError, match="quantize ao-int4: no gradient was seen"):
        require_targets(str(tiny_model), lora(), Quantization.AO_INT4)


def test_matches_are_counted_by_tower_and_targets_without_a_layer_are_named(tiny_model):
    learner = learner_of_blip(load_float(tiny_model))
    adapter = add_adapter(learner, lora(targets=("qkv", "value", "nothing")))
    # Two layers a tower; self- and cross-attention in each of the text towers'.
    assert matched_layers(adapter) == {"vision_model": 2, "text_encoder": 4, "text_decoder": 4}
    assert unmatched_targets(adapter) == ["nothing"]


def test_the_reports_targets_name_three_layers_that_blip_does_not_have(tiny_model):
    learner = learner_of_blip(load_float(tiny_model))
    adapter = add_adapter(learner, LoraRecipe())
    assert adapter.targets == list(REPORT_TARGETS)
    assert unmatched_targets(adapter) == ["q_proj", "k_proj", "v_proj"]


def test_what_a_killed_save_left_does_not_outlive_the_next_one(tiny_model, tmp_path):
    left = tmp_path / ".adapter.1234.part"
    left.mkdir()
    (left / "adapter_config.json").touch()
    adapter = add_adapter(learner_of_blip(load_float(tiny_model)), lora())
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "added_labels.json").touch()
    adapter.save(tmp_path / "adapter")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    assert not (tmp_path / "adapter" / "added_labels.json").exists()


@pytest.mark.parametrize("targets", [["value", "dense", "query"], "all-linear"])
def test_an_adapters_targets_stand_in_order(tmp_path, targets):
    write_json({"target_modules": targets, "r": 4}, tmp_path / "adapter_config.json")
    name_base("Salesforce/blip-vqa-base", tmp_path)
    assert read_json(tmp_path / "adapter_config.json") == {
        "base_model_name_or_path": "Salesforce/blip-vqa-base",
        "target_modules": targets if isinstance(targets, str) else ["dense", "query", "value"],
        "r": 4,
    }
