"""Adapters whose start wrote to their base: loaded exactly, or refused in one line."""

import json
import shutil
import warnings

import pytest
import torch
from peft import KasaConfig, LoraConfig, get_peft_model

from evaluator.__main__ import app
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from shared.errors import InputError
from shared.program.cli import run_program
from shared.records import Question
from shared.vqa.adapting.adapters import apply_adapters, quiet_renames, require_applicable
from tests.models import QUESTIONS, TEXT_TARGETS, load_float, load_nf4, new_adapter

LEAVE_THE_BASE = (True, False, "gaussian", "eva", "orthogonal", "mica")
FOLLOW_FROM_THE_BASE = ("pissa", "olora", "kasa")
NOT_IN_THE_FILE = ("pissa_niter_4", "corda", "lora_ga", "loftq", "of_tomorrow")


def save_started(folder, model, start):
    """Train, in words, an adapter that began with ``start``; return its network."""
    begun = {"kasa_config": KasaConfig()} if start == "kasa" else {"init_lora_weights": start}
    loaded = load_float(model)
    with warnings.catch_warnings(), quiet_renames():
        warnings.simplefilter("ignore")
        config = LoraConfig(r=4, lora_alpha=8, target_modules=list(TEXT_TARGETS), **begun)
        peft = get_peft_model(loaded.network, config)
    torch.manual_seed(4)
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            if "lora_" in name:
                weight.add_(0.05 * torch.randn_like(weight))
    peft.save_pretrained(folder)
    return loaded.network


def rename_start(folder, start):
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["init_lora_weights"] = start
    config["loftq_config"] = {"loftq_bits": 4, "loftq_iter": 1} if start == "loftq" else {}
    path.write_text(json.dumps(config), encoding="utf-8")


@pytest.fixture
def plain(tmp_path, tiny_model):
    folder = tmp_path / "plain"
    new_adapter(load_float(tiny_model)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("start", [*LEAVE_THE_BASE, *FOLLOW_FROM_THE_BASE])
def test_the_network_is_the_one_that_was_trained(tmp_path, tiny_model, start):
    trained = save_started(tmp_path / "adapter", tiny_model, start)
    loaded = load_float(tiny_model, tmp_path / "adapter").network
    wanted, loaded_weights = trained.state_dict(), loaded.state_dict()
    assert set(wanted) == set(loaded_weights)
    assert all(torch.allclose(wanted[name], loaded_weights[name], atol=1e-6) for name in wanted)


@pytest.mark.parametrize("start", LEAVE_THE_BASE)
def test_a_start_that_leaves_the_base_alone_loads_in_4_bit(tmp_path, tiny_model, plain, start):
    wanted = load_nf4(tiny_model, plain).network.state_dict()
    rename_start(plain, start)
    loaded_weights = load_nf4(tiny_model, plain).network.state_dict()
    assert all(torch.equal(wanted[name], loaded_weights[name]) for name in wanted)


@pytest.mark.parametrize("start", FOLLOW_FROM_THE_BASE)
def test_a_start_of_exact_weights_is_refused_in_4_bit(tmp_path, tiny_model, start):
    save_started(tmp_path / "adapter", tiny_model, start)
    with pytest.raises(InputError, match="held rounded; load it with quantization none"):
        load_nf4(tiny_model, tmp_path / "adapter")
    with pytest.raises(InputError, match="held rounded"):
        require_applicable(tmp_path / "adapter", rounded=True)
    require_applicable(tmp_path / "adapter", rounded=False)


@pytest.mark.parametrize("start", NOT_IN_THE_FILE)
@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_a_start_by_chance_or_data_is_one_line_in_every_command(
    tmp_path, tiny_model, plain, pictures, start, quantize, capsys
):
    rename_start(plain, start)
    with pytest.raises(InputError, match="path_initial_model_for_weight_conversion"):
        (load_float if quantize == "none" else load_nf4)(tiny_model, plain)
    images, pairs = pictures
    common = ["--model", str(tiny_model), "--adapter", str(plain), "--quantize", quantize]
    picture = str(images / pairs[0].filename)
    for command in (
        ["predict", *common, "--image", picture, "--question", QUESTIONS[0]],
        ["serve", *common, "--port", "0"],
    ):
        with pytest.raises(SystemExit) as leaving:
            run_program(app, "evaluator", command)
        assert leaving.value.code == 2
        error = capsys.readouterr().err.strip()
        assert error.count("\n") == 0
        assert f"init_lora_weights {start!r}" in error


def test_what_changes_the_base_goes_alone(tmp_path, tiny_model, plain):
    save_started(tmp_path / "pissa", tiny_model, "pissa")
    with pytest.raises(InputError, match="goes alone"):
        apply_adapters(
            load_float(tiny_model).network, {"plain": plain, "pissa": tmp_path / "pissa"}
        )


def test_without_such_an_adapter_the_base_is_not_whole_so_nothing_is_counted(
    tmp_path, tiny_model, plain, pictures
):
    images, pairs = pictures
    save_started(tmp_path / "pissa", tiny_model, "pissa")
    questions = [Question("1", QUESTIONS[0], pairs[0].filename)]
    counted = {}
    for adapter in (plain, tmp_path / "pissa"):
        settings = replica_settings(str(tiny_model), adapter, "none", images, batch_size=4)
        counted[adapter.name] = Replica(settings).adapter_effect(questions).checked
    assert counted == {"plain": 1, "pissa": 0}


def test_names_of_another_time_are_no_adapter(tmp_path, tiny_model, plain):
    """peft fills nothing and only warns."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    from shared.errors import AdapterNotApplied  # noqa: PLC0415

    old = shutil.copytree(plain, tmp_path / "old")
    path = old / "adapter_model.safetensors"
    tensors = {
        name.replace("base_model.model.", "base_model.model.model."): tensor
        for name, tensor in load_file(path).items()
    }
    save_file(tensors, path)
    with pytest.raises(AdapterNotApplied, match="was it trained on another base"):
        load_float(tiny_model, old)
