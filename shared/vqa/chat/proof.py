"""Tries, before the first question, whether a network may keep what its configuration promises.

A short prompt with two questions is read as a whole, and in parts. That takes a few passes over
some dozens of tokens: of the picture's tokens two stand for all, and what is in them is of no
matter, so that the vision tower does not run. Where features alone are kept, it runs once or twice.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Final

import torch
from transformers import DynamicCache, PreTrainedModel, ProcessorMixin

from shared.program.reporting.event_log import EventLog
from shared.value_class import value_class
from shared.vqa.chat.abilities import Keeping, follows_the_shape, keeping_of
from shared.vqa.chat.features import image_features, on_device, without_pixels
from shared.vqa.chat.keeping.cache import Shelf
from shared.vqa.chat.keeping.decoding import Prefixes, RowDecoder, RowQuestion
from shared.vqa.chat.processor import Picture
from shared.vqa.chat.prompt import PromptSplit, blank_picture, split_prompts
from shared.vqa.greedy import generated
from shared.vqa.inputs.instruction import Instruction

log = EventLog(__name__)

_PICTURE_TOKENS: Final = 2
_SAME_PASS: Final = 1e-3
"""Of the largest number: how much two passes over rows of one length may differ."""
_ROUNDING: Final = {torch.float32: 0.01, torch.float16: 0.1, torch.bfloat16: 0.3}
"""Of the logits' deviation: how much reading in parts may differ."""
_QUESTIONS: Final = ("What is it?", "Is it one?")


@value_class
class ShortPrompt:
    """A whole prompt, shortened: tensors ``(1, T)``, of which ``prefix`` tokens are shared."""

    inputs: Mapping[str, torch.Tensor]
    prefix: int

    @property
    def ids(self) -> list[int]:
        """Return its tokens."""
        tokens: list[int] = self.inputs["input_ids"][0].tolist()
        return tokens

    @property
    def before(self) -> dict[str, torch.Tensor]:
        """Return what is shared of it."""
        return {name: value[:, : self.prefix] for name, value in self.inputs.items()}

    def with_other_question(self) -> ShortPrompt:
        """Return the same with the question's tokens in another order."""
        ids = self.inputs["input_ids"].clone()
        ids[:, self.prefix :] = ids[:, self.prefix :].roll(1, dims=1)
        return ShortPrompt({**self.inputs, "input_ids": ids}, self.prefix)


@torch.inference_mode()
def proved_keeping(
    model: str,
    network: PreTrainedModel,
    processor: ProcessorMixin,
    instruction: Instruction,
    device: torch.device,
) -> tuple[Keeping, PromptSplit]:
    """Return what a network keeps rightly, and where prompts within an instruction are cut.

    Raises:
        InputError: the processor does not take a picture and a question.
    """
    picture = blank_picture(model, processor)
    split = split_prompts(picture, instruction)
    keeping = keeping_of(network)
    if keeping in (Keeping.ROWS, Keeping.COPIES):
        keeping = _of_decoder(network, picture, split, keeping, device)
    if keeping is Keeping.FEATURES and not _reads_features(network, picture, split, device):
        log.warning("features_cannot_be_kept", model=model)
        keeping = Keeping.NOTHING
    return keeping, split


def _of_decoder(
    network: PreTrainedModel,
    picture: Picture,
    split: PromptSplit,
    keeping: Keeping,
    device: torch.device,
) -> Keeping:
    """Return what a decoder keeps rightly: its prefix, or a picture's features."""
    prompts = short_prompts(network, picture, split, device)
    if _sees_question(network, prompts[0]):
        return Keeping.FEATURES
    in_parts = _from_rows if keeping is Keeping.ROWS else _from_copies
    off = off_by(network, prompts, in_parts(network, prompts, device))
    if off <= allowed_rounding(network):
        return keeping
    log.warning("prefix_cannot_be_kept", model=picture.name, off_by=round(off, 3))
    return Keeping.FEATURES


def short_prompts(
    network: PreTrainedModel, picture: Picture, split: PromptSplit, device: torch.device
) -> list[ShortPrompt]:
    """Return prompts about a picture, without most of its tokens and without what is in them."""
    return [_short(network, picture, split, text, device) for text in _QUESTIONS]


def off_by(
    network: PreTrainedModel, prompts: Sequence[ShortPrompt], in_parts_QV: torch.Tensor
) -> float:
    """Return how far logits are from those of whole prompts, in deviations of these.

    What is read wrongly differs by about 1.
    """
    wholes_QV = torch.cat([_logits(network, prompt) for prompt in prompts])
    return float((in_parts_QV - wholes_QV).abs().max() / wholes_QV.std())


def allowed_rounding(network: PreTrainedModel) -> float:
    """Return how far they may be, by the numbers that the network computes with."""
    return _ROUNDING.get(network.dtype, _ROUNDING[torch.bfloat16])


def _reads_features(
    network: PreTrainedModel, picture: Picture, split: PromptSplit, device: torch.device
) -> bool:
    """Return whether ``generate`` takes features in the place of pixels; it may pass them over."""
    inputs = on_device(network, picture.asked(split.instruction.around(_QUESTIONS[0])), device)
    features = {"image": image_features(network, inputs)}
    [plain] = generated(network, 1, **inputs)
    [kept] = generated(network, 1, **without_pixels(inputs), mm_encoder_outputs=features)
    off = abs(plain.log_probability - kept.log_probability)
    return plain.tokens == kept.tokens and off <= _ROUNDING.get(network.dtype, 1)


def _short(
    network: PreTrainedModel,
    picture: Picture,
    split: PromptSplit,
    text: str,
    device: torch.device,
) -> ShortPrompt:
    """Return a prompt without most of the picture's tokens, and without the picture."""
    whole = picture.asked(split.instruction.around(text))
    ids_T = whole["input_ids"][0]
    is_image_T = ids_T == network.config.image_token_id
    kept_T = ~is_image_T | (is_image_T.cumsum(0) <= _PICTURE_TOKENS)
    takes = inspect.signature(network.base_model.forward).parameters
    inputs = {
        name: value[:, kept_T].to(device)
        for name, value in whole.items()
        if name in takes and value.shape == whole["input_ids"].shape
    }
    prefix = len(split.prefix(picture).ids)
    return ShortPrompt(inputs, int(kept_T[:prefix].sum()))


def _sees_question(network: PreTrainedModel, prompt: ShortPrompt) -> bool:
    """Return whether what is made of the prefix depends on the question after it."""
    one, other = (
        network.base_model(**asked.inputs).last_hidden_state[:, : prompt.prefix]
        for asked in (prompt, prompt.with_other_question())
    )
    return bool((one - other).abs().max() > _SAME_PASS * one.abs().max())


def _logits(network: PreTrainedModel, prompt: ShortPrompt) -> torch.Tensor:
    logits_1V: torch.Tensor = network(**prompt.inputs, logits_to_keep=1).logits[:, -1].float()
    return logits_1V


def _from_rows(
    network: PreTrainedModel, prompts: Sequence[ShortPrompt], device: torch.device
) -> torch.Tensor:
    """Return the logits of both questions in one row behind one prefix."""
    before = prompts[0].prefix
    length = before + sum(len(prompt.ids) for prompt in prompts)
    shelf = Shelf.of(network, 1, length)
    network.base_model(**prompts[0].before, past_key_values=shelf.cache(0, 1, 0), use_cache=True)
    questions = [
        RowQuestion(0, tuple(prompt.ids[before:]), tuple(prompt.ids[:before])) for prompt in prompts
    ]
    prefixes = Prefixes(shelf.cache(0, 1, before), (before,), (before,))
    return RowDecoder(network, device, prompts[0].ids[0]).first_logits(prefixes, questions)


def _from_copies(
    network: PreTrainedModel, prompts: Sequence[ShortPrompt], device: torch.device
) -> torch.Tensor:
    """Return the logits of each question after a state that was kept."""
    logits = []
    for prompt in prompts:
        cache = DynamicCache(config=network.config.get_text_config(decoder=True))
        network.base_model(**prompt.before, past_key_values=cache, use_cache=True)
        own = prompt.inputs["input_ids"][:, prompt.prefix :]
        positions = torch.arange(prompt.prefix, len(prompt.ids), device=device).unsqueeze(0)
        rows = positions.expand(3, -1, -1) if follows_the_shape(network) else positions
        output = network(input_ids=own, position_ids=rows, past_key_values=cache, logits_to_keep=1)
        logits.append(output.logits[:, -1].float())
    return torch.cat(logits)
