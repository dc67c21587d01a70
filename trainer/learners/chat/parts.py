"""The parts of a chat model's network, by what they do: what sees, what speaks, what says words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from torch import nn
from transformers import PreTrainedModel

ATTENTION: Final = ("q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "in_proj_qkv")
"""Names of the layers that make queries, keys and values in transformers' language models."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Names of modules, from the network down.

    ``seeing`` are the vision tower and the projector, ``speaking`` the language model, ``saying``
    its last layer, which makes words of states.
    """

    seeing: tuple[str, ...]
    speaking: str
    saying: str

    @property
    def all(self) -> tuple[str, ...]:
        """Return every part, in the order of what goes through them."""
        return (*self.seeing, self.speaking, self.saying)


def parts_of(network: PreTrainedModel) -> Parts:
    """Return the parts of an image-text-to-text network."""
    names = {id(module): name for name, module in network.named_modules()}
    inner, decoder = network.base_model, network.get_decoder()
    speaking = names[id(decoder)]
    seeing = [names[id(child)] for child in inner.children() if not _holds(child, decoder)]
    return Parts(tuple(seeing), speaking, names[id(network.get_output_embeddings())])


def attention_targets(network: PreTrainedModel) -> str:
    """Return a regular expression of what makes the language model's queries, keys and values.

    It matches nothing in a vision tower, which may call its layers by the same names.
    """
    speaking = parts_of(network).speaking
    found = sorted({name.rpartition(".")[2] for name in _layers(network.get_submodule(speaking))})
    return rf"{re.escape(speaking)}\..*\.({'|'.join(found)})"


def _layers(language: nn.Module) -> Iterator[str]:
    for name, module in language.named_modules():
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in ATTENTION:
            yield name


def _holds(module: nn.Module, other: nn.Module) -> bool:
    return any(part is other for part in module.modules())
