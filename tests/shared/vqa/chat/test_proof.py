"""What a network promises to keep is tried before it is relied on."""

import pytest
import torch
from structlog.testing import capture_logs

from shared.vqa.chat.abilities import Keeping
from shared.vqa.chat.processor import open_processor
from shared.vqa.chat.proof import proved_keeping
from shared.vqa.inputs.instruction import Instruction

pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
pytest.importorskip("num2words", reason="the extra `model` brings num2words")

from transformers import AutoModelForImageTextToText

from tests.chat_models import chat_model

# Of PaliGemma's own processor.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CPU = torch.device("cpu")


def kept(name, spoil=None, dtype=torch.float32):
    """Return what a network keeps, of whose language model ``spoil`` changes the arguments."""
    folder = str(chat_model(name))
    network = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).eval()
    if spoil is not None:

        def changed(module, args, kwargs):
            return args, {**kwargs, **spoil(kwargs)}

        network.model.get_decoder().register_forward_pre_hook(changed, with_kwargs=True)
    processor = open_processor(folder, network.config)
    keeping, _ = proved_keeping(name, network, processor, Instruction("{question}!"), CPU)
    return keeping


def without_mask(kwargs):
    mask = kwargs.get("attention_mask")
    blocks = isinstance(mask, torch.Tensor) and mask.ndim == 4
    return {"attention_mask": None} if blocks else {}


def as_they_stand(kwargs):
    """Count positions on, past other questions, as a network does that heeds none."""
    before = kwargs["past_key_values"].get_seq_length() if kwargs.get("past_key_values") else 0
    tokens = kwargs["inputs_embeds"].shape[1]
    return {"position_ids": torch.arange(before, before + tokens).unsqueeze(0)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("spoil", [without_mask, as_they_stand])
def test_a_network_that_heeds_no_mask_or_no_position_keeps_features_alone(spoil, dtype):
    assert kept("llava", dtype=dtype) is Keeping.ROWS
    with capture_logs() as events:
        assert kept("llava", spoil, dtype) is Keeping.FEATURES
    assert [event["event"] for event in events] == ["prefix_cannot_be_kept"]


@pytest.mark.parametrize("name", ["paligemma2", "qwen3_5", "qwen3_vl", "gemma3"])
def test_in_half_precision_it_is_proved_alike(name):
    assert kept(name, dtype=torch.bfloat16) is kept(name)
