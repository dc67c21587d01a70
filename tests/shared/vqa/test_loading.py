"""Bases in 4 bit, adapters that apply or say why not, and folders that are no models."""

import json
import shutil
from contextlib import suppress

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from safetensors.torch import load_file, save_file
from structlog.testing import capture_logs
from transformers import BertConfig

from shared.errors import AdapterNotApplied, InputError
from shared.vqa.adapting.adapter_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapter_digest
from shared.vqa.adapting.adapters import adapter_config
from shared.vqa.blip.inference import answer_questions, remember_images
from shared.vqa.inputs.question_length import MAX_QUESTION_TOKENS, limit_of_adapters
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from tests.models import QUESTIONS, SHAPE, load_float, load_nf4


def layers_4bit(model) -> int:
    return sum(isinstance(module, Linear4bit) for module in model.blip.modules())


def test_every_linear_layer_but_the_head_is_held_in_4_bit(tiny_model):
    plain, nf4 = load_float(tiny_model), load_nf4(tiny_model)
    linear = [name for name, m in plain.blip.named_modules() if isinstance(m, torch.nn.Linear)]
    heads = [name for name in linear if name.endswith("predictions.decoder")]
    assert len(heads) == 1
    assert layers_4bit(plain) == 0
    assert layers_4bit(nf4) == len(linear) - len(heads)


def test_a_4_bit_base_answers_and_keeps_its_shapes(tiny_model, images):
    plain, nf4 = load_float(tiny_model), load_nf4(tiny_model)
    memory, exact = remember_images(nf4, images), remember_images(plain, images)
    assert memory.features_NLD.shape == exact.features_NLD.shape == (len(images), 17, SHAPE.width)
    likeness = torch.cosine_similarity(memory.features_NLD, exact.features_NLD, dim=-1)
    assert 0.8 < float(likeness.mean()) < 0.99999
    answers = answer_questions(nf4, memory, [0] * len(QUESTIONS), QUESTIONS)
    assert len({answer.text for answer in answers}) > 1


def test_a_model_is_frozen_and_says_what_it_is(tiny_model, tiny_adapter):
    model = load_nf4(tiny_model, tiny_adapter)
    assert not any(weight.requires_grad for weight in model.blip.parameters())
    assert not model.blip.training
    assert model.quantization is Quantization.NF4
    assert model.name == str(tiny_model)
    assert model.revision.startswith("sha256:")
    assert model.adapter_sha256 == adapter_digest(tiny_adapter)


def test_the_revision_follows_the_weights(tiny_model, tmp_path):
    other = shutil.copytree(tiny_model, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: weights[name] + 1}, other / "model.safetensors", {"format": "pt"})
    assert load_float(other).revision != load_float(tiny_model).revision


@pytest.fixture
def adapter(tiny_adapter, tmp_path):
    """A copy of a good adapter, to be spoilt."""
    return shutil.copytree(tiny_adapter, tmp_path / "spoilt")


def rewrite(adapter, change):
    tensors = load_file(adapter / ADAPTER_WEIGHTS)
    save_file(change(tensors), adapter / ADAPTER_WEIGHTS, {"format": "pt"})


def without_one(tensors):
    tensors.pop(min(tensors))
    return tensors


def with_another(tensors):
    name = min(tensors)
    return tensors | {name.replace("layer.0", "layer.7"): tensors[name].clone()}


def of_another_rank(tensors):
    return {name: weight.repeat(2, 2) for name, weight in tensors.items()}


def all_zero(tensors):
    return {
        name: torch.zeros_like(weight) if "lora_B" in name else weight
        for name, weight in tensors.items()
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_one, "1 tensors missing and 0 unexpected"),
        (with_another, "0 tensors missing and 1 unexpected"),
        (of_another_rank, "does not fit the base .*, and .* more.; was it trained on a base of"),
        (all_zero, "every lora_B is zero"),
    ],
)
def test_an_adapter_that_does_not_apply_is_an_error(tiny_model, adapter, change, reason):
    rewrite(adapter, change)
    with pytest.raises(AdapterNotApplied, match=reason) as refused:
        load_float(tiny_model, adapter)
    assert str(adapter) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("limit", [None, "far"])
def test_a_limit_that_is_no_number_limits_nothing(adapter, limit):
    (adapter / "tokenizer_config.json").write_text(json.dumps({"model_max_length": limit}))
    assert limit_of_adapters([adapter]) == MAX_QUESTION_TOKENS


def test_a_start_without_name_leaves_the_base_alone(tiny_model, adapter):
    config = json.loads((adapter / ADAPTER_CONFIG).read_text())
    (adapter / ADAPTER_CONFIG).write_text(json.dumps(config | {"init_lora_weights": None}))
    assert load_nf4(tiny_model, adapter).peft is not None


def test_settings_of_a_newer_peft_are_told_in_one_line(adapter):
    config = json.loads((adapter / ADAPTER_CONFIG).read_text())
    (adapter / ADAPTER_CONFIG).write_text(json.dumps(config | {"of_the_future": 1}))
    with capture_logs() as events:
        assert adapter_config(adapter).r == config["r"]
    [event] = events
    assert event["log_level"] == "warning"
    assert "of_the_future" in event["reason"]


def test_targets_that_match_nothing_are_an_error(tiny_model, adapter):
    config = json.loads((adapter / ADAPTER_CONFIG).read_text())
    (adapter / ADAPTER_CONFIG).write_text(json.dumps(config | {"target_modules": ["nowhere"]}))
    with pytest.raises(AdapterNotApplied, match="does not fit the base"):
        load_float(tiny_model, adapter)


def test_a_pickled_adapter_is_refused(tiny_model, adapter):
    torch.save(load_file(adapter / ADAPTER_WEIGHTS), adapter / "adapter_model.bin")
    (adapter / ADAPTER_WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"pickled adapters \(.bin\) are not loaded"):
        load_float(tiny_model, adapter)


def test_a_broken_weights_file_is_bad_input(tiny_model, adapter):
    (adapter / ADAPTER_WEIGHTS).write_bytes(b"not safetensors")
    with pytest.raises(InputError, match="not a safetensors file"):
        load_float(tiny_model, adapter)


@pytest.mark.parametrize("text", ["{", '{"peft_type": "NO_SUCH"}', "{}"])
def test_a_broken_adapter_configuration_is_bad_input(tiny_model, adapter, text):
    (adapter / ADAPTER_CONFIG).write_text(text)
    with pytest.raises(InputError, match=ADAPTER_CONFIG):
        load_float(tiny_model, adapter)


def test_a_folder_without_adapter_is_bad_input(tiny_model, tmp_path):
    with pytest.raises(InputError, match="not an adapter folder"):
        load_float(tiny_model, tmp_path)


def test_a_folder_without_model_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="not a model folder"):
        load_float(tmp_path)


def test_a_path_to_nowhere_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such model folder"):
        load_float(tmp_path / "nowhere")


def test_a_hub_id_that_cannot_be_fetched_is_bad_input():
    with pytest.raises(InputError, match="no-such/model: cannot be loaded"):
        load_blip("no-such/model")


def test_another_kind_of_model_is_bad_input(tmp_path):
    BertConfig(hidden_size=8, num_attention_heads=1).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="is a bert; this is done with BLIP"):
        load_float(tmp_path)


def test_a_pickled_model_is_refused(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"pickled weights alone \(pytorch_model.bin\)"):
        load_float(folder)


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("config.json", {"model_type": "strange", "auto_map": {"AutoConfig": "own.Own"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["own.Own", None]}}),
        ("preprocessor_config.json", {"auto_map": {"AutoImageProcessor": "own.Own"}}),
    ],
)
def test_code_that_a_model_brings_is_never_run_whatever_is_typed(
    tiny_model, tmp_path, monkeypatch, file, names
):
    """On a terminal transformers would ask, and run it for a "y"."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    path = folder / file
    written = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(written | names))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nOwn = object\n")
    monkeypatch.setattr("builtins.input", lambda question: "y")
    with suppress(InputError):
        load_float(folder)
    assert not (tmp_path / "ran").exists()


def test_cut_off_weights_are_bad_input(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "cut")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be loaded"):
        load_float(folder)


def test_a_model_without_its_tokenizer_is_bad_input(tiny_model, tmp_path):
    """An empty one is made for it, to which all questions are alike."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(InputError, match=r"model: its tokenizer knows no words; tokenizer\.json"):
        load_float(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokenizer.json", "{}"),
        ("tokenizer.json", '{"version": "9", "added_tokens": [], "model": {"type": "Words"}}'),
        ("processor_config.json", '{"image_processor": 3}'),
        ("config.json", '{"model_type": "blip", "text_config": 3}'),
    ],
)
def test_a_model_with_a_broken_file_is_bad_input(tiny_model, tmp_path, name, text):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / name).write_text(text)
    with pytest.raises(InputError, match="model: cannot be loaded") as refused:
        load_float(folder)
    assert "\n" not in str(refused.value)


def test_weights_of_another_size_are_bad_input(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["vocab_size"] += 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="model: cannot be loaded") as refused:
        load_float(folder)
    assert "\n" not in str(refused.value)


def test_a_model_without_a_name_is_bad_input():
    with pytest.raises(InputError, match="the model's name is empty"):
        load_float("")
