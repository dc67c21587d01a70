"""Tiny chat models that can be trained, and what their own code says an answer costs."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from shared.images.decoding import open_image
from shared.records import QAPair
from shared.vqa.chat.processor import Picture
from tests.chat_models import CHAT_MODELS, chat_model

END = "</s>"
TRAINED = [name for name in CHAT_MODELS if name != "florence2"]
"""All but the encoder-decoder."""


@cache
def _saved_here() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="chat-training-")


@cache
def trainable(name: str) -> Path:
    """Return the folder of a chat model that ends its answers where no word does; only read it.

    The others stop at "e", which random weights say early.
    """
    folder = Path(_saved_here().name, name)
    shutil.copytree(chat_model(name), folder)
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    words = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    path.write_text(json.dumps(settings | {"eos_token_id": words[END]}), encoding="utf-8")
    return folder


def own_loss(learner, images: Path, pair: QAPair) -> float:
    """Ask transformers' own forward for its loss of one pair, as a sum: the prompt as the processor
    returns it, and behind it the answer."""
    network, picture = learner.model.network, open_image(images / pair.filename)
    [text] = learner.model.asked([pair.question])
    inputs = Picture(learner.answerer.processor, picture, "").asked(text)
    inputs.pop("labels", None)
    [turn] = learner.tokenise([pair]).turns
    answer, asked = torch.tensor([turn.answer]), inputs["input_ids"]
    # PaliGemma's answers are of a kind of their own, which sees what came before alone.
    of_answer = 1 if network.config.model_type == "paligemma" else 0
    for name in ("token_type_ids", "mm_token_type_ids"):
        if name in inputs:
            inputs[name] = torch.nn.functional.pad(
                inputs[name], (0, answer.shape[1]), value=of_answer
            )
    ids = torch.cat((asked, answer), dim=1)
    labels = torch.cat((torch.full_like(asked, -100), answer), dim=1)
    inputs |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        return float(network(**inputs, labels=labels).loss) * answer.shape[1]
