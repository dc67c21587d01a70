"""Heads that share keys are read without a copy of these, to the same numbers."""

from types import SimpleNamespace

import pytest
import torch
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

from shared.vqa.chat.keeping import attention
from shared.vqa.chat.keeping.attention import attention_of_packed_heads, packed_heads
from tests.chat_models import CHAT_MODELS, chat_model

pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
pytest.importorskip("num2words", reason="the extra `model` brings num2words")

from transformers import AutoModelForImageTextToText

D, SEEN = 8, 11


def drawn(heads, shared, tokens):
    """Return a layer and what it attends to, with keys that are a part of a larger room."""
    torch.manual_seed(0)
    room = torch.randn(2, 3, shared, SEEN + 5, D)
    mask = torch.zeros(3, 1, tokens, SEEN)
    mask.masked_fill_(torch.rand(mask.shape) < 0.4, torch.finfo(torch.float32).min)
    mask[..., 0] = 0
    query = torch.randn(3, tokens, heads, D).transpose(1, 2)
    layer = SimpleNamespace(num_key_value_groups=heads // shared, is_causal=True)
    return layer, query, *room[..., :SEEN, :], mask


@pytest.mark.parametrize("tokens", [1, 2, 7])
@pytest.mark.parametrize(("heads", "shared"), [(6, 6), (6, 3), (6, 2), (6, 1)])
def test_numbers_are_those_of_keys_that_are_copied(heads, shared, tokens):
    given = drawn(heads, shared, tokens)
    packed, _ = attention_of_packed_heads(*given, scaling=0.3)
    plain, _ = sdpa_attention_forward(*given, scaling=0.3)
    torch.testing.assert_close(packed, plain, rtol=0, atol=1e-6)
    assert packed.shape == (3, tokens, heads, D)


def test_no_key_is_copied(monkeypatch):
    copied = []

    def seen(*args):
        copied.append(args)
        return repeat_kv(*args)

    monkeypatch.setattr("transformers.integrations.sdpa_attention.repeat_kv", seen)
    given = drawn(6, 2, 4)
    attention_of_packed_heads(*given, scaling=0.3)
    assert not copied
    *before, _ = given
    attention_of_packed_heads(*before, torch.zeros(3, 6, 4, SEEN), scaling=0.3)
    assert copied, "a mask for each head is left to transformers"


@pytest.mark.parametrize("name", CHAT_MODELS)
def test_a_language_model_attends_so_within_and_as_before_afterwards(name, monkeypatch):
    network = AutoModelForImageTextToText.from_pretrained(str(chat_model(name))).eval()
    language = network.base_model.get_decoder()
    config = network.config.get_text_config(decoder=True)
    own = config._attn_implementation
    calls = []

    def seen(*args, **kwargs):
        calls.append(args)
        return attention_of_packed_heads(*args, **kwargs)

    monkeypatch.setitem(attention.AttentionInterface._global_mapping, "sdpa_of_packed_heads", seen)
    ids = torch.tensor([[1, 2, 3]])
    with torch.inference_mode():
        before = language(input_ids=ids).last_hidden_state
        assert not calls
        with packed_heads(network):
            within = language(input_ids=ids).last_hidden_state
    assert bool(calls) == (own == "sdpa")
    assert config._attn_implementation == own
    torch.testing.assert_close(within, before, rtol=0, atol=1e-5)


def test_a_network_that_fails_attends_as_before():
    network = AutoModelForImageTextToText.from_pretrained(str(chat_model("smolvlm")))
    config = network.config.get_text_config(decoder=True)
    with pytest.raises(ZeroDivisionError), packed_heads(network):
        raise ZeroDivisionError
    assert config._attn_implementation == "sdpa"
