"""Greedy decoding of all questions of some rows together, as ``generate`` decodes each alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import Cache, LogitsProcessorList, PreTrainedModel

from shared.value_class import value_class
from shared.vqa.chat.abilities import follows_the_shape
from shared.vqa.chat.keeping.attention import packed_heads
from shared.vqa.chat.rows import Chunk, Rows, first_chunk, next_chunk
from shared.vqa.greedy import Decoded, end_tokens


@dataclass(slots=True)
class RowQuestion:
    """A question in a row: its own tokens, and all before them, which some models' rules read.

    ``said`` is the answer so far, ``log_probability`` that of all of it.
    """

    row: int
    own: tuple[int, ...]
    before: tuple[int, ...]
    said: list[int] = field(default_factory=list)
    log_probability: float = 0.0

    @property
    def whole(self) -> list[int]:
        """Return everything up to now."""
        return [*self.before, *self.own, *self.said]


@value_class
class Prefixes:
    """What was read of some pictures: a row each, filled in ``cache``.

    ``starts`` are the positions after the prefixes, which are not their ``lengths`` where positions
    follow a picture's shape.
    """

    cache: Cache
    lengths: tuple[int, ...]
    starts: tuple[int, ...]


class RowDecoder:
    """Continues rows with a network."""

    def __init__(self, network: PreTrainedModel, device: torch.device, pad: int) -> None:
        self._network, self._device, self._pad = network, device, pad
        self._ends = end_tokens(network)
        self._three_rows = follows_the_shape(network)
        self._has_rules = bool(_rules(network, [pad], device))

    @torch.inference_mode()
    def answers(
        self, prefixes: Prefixes, questions: Sequence[RowQuestion], max_new_tokens: int
    ) -> list[Decoded]:
        """Return what is said to each question, of at most so many tokens."""
        rows = Rows(prefixes.lengths, self._device)
        row_of = [question.row for question in questions]
        chunk, places = first_chunk(
            [question.own for question in questions], row_of, prefixes.starts, self._pad
        )
        going = list(range(len(questions)))
        while True:
            logits_QV = self._logits(prefixes.cache, rows, chunk, places, row_of)
            self._choose([questions[at] for at in going], logits_QV, max_new_tokens)
            going = [at for at in going if self._goes_on(questions[at], max_new_tokens)]
            if not going:
                return [Decoded(tuple(one.said), one.log_probability) for one in questions]
            row_of = [questions[at].row for at in going]
            tokens = [
                (questions[at].said[-1], at, self._position(prefixes, questions[at]))
                for at in going
            ]
            chunk, places = next_chunk(tokens, row_of, len(prefixes.lengths), self._pad)

    def first_logits(self, prefixes: Prefixes, questions: Sequence[RowQuestion]) -> torch.Tensor:
        """Return the logits of each answer's first token, ``(questions, V)``."""
        rows = Rows(prefixes.lengths, self._device)
        row_of = [question.row for question in questions]
        own = [question.own for question in questions]
        chunk, places = first_chunk(own, row_of, prefixes.starts, self._pad)
        return self._logits(prefixes.cache, rows, chunk, places, row_of)

    def _logits(
        self,
        cache: Cache,
        rows: Rows,
        chunk: Chunk,
        places: Sequence[int],
        row_of: Sequence[int],
    ) -> torch.Tensor:
        owners_NT = chunk.owners_NT.to(self._device)
        positions = chunk.positions_NT.to(self._device)
        with packed_heads(self._network):
            logits_NKV: torch.Tensor = self._network(
                input_ids=chunk.ids_NT.to(self._device),
                attention_mask=rows.mask(owners_NT, self._network.dtype),
                position_ids=positions.expand(3, -1, -1) if self._three_rows else positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=-min(places),
            ).logits
        where = (torch.tensor(row_of), torch.tensor(places))
        logits_QV: torch.Tensor = logits_NKV[where].float()
        return logits_QV

    def _choose(
        self, going: Sequence[RowQuestion], logits_QV: torch.Tensor, max_new_tokens: int
    ) -> None:
        scores_QV = self._ruled(going, logits_QV, max_new_tokens) if self._has_rules else logits_QV
        tokens_Q = scores_QV.argmax(-1)
        log_p_Q = logits_QV.log_softmax(-1).gather(1, tokens_Q.unsqueeze(1)).squeeze(1)
        chosen = zip(going, tokens_Q.tolist(), log_p_Q.tolist(), strict=True)
        for question, token, log_p in chosen:
            question.said.append(token)
            question.log_probability += log_p

    def _ruled(
        self, going: Sequence[RowQuestion], logits_QV: torch.Tensor, max_new_tokens: int
    ) -> torch.Tensor:
        """Apply the model's own rules, such as a penalty for saying a thing twice."""
        ruled = []
        for question, logits_V in zip(going, logits_QV, strict=True):
            prompt = [*question.before, *question.own]
            rules = _rules(self._network, prompt, self._device, max_new_tokens)
            ids_1S = torch.tensor([question.whole], device=self._device)
            ruled.append(rules(ids_1S, logits_V.unsqueeze(0).clone()))
        return torch.cat(ruled)

    def _goes_on(self, question: RowQuestion, max_new_tokens: int) -> bool:
        return len(question.said) < max_new_tokens and question.said[-1] not in self._ends

    @staticmethod
    def _position(prefixes: Prefixes, question: RowQuestion) -> int:
        return prefixes.starts[question.row] + len(question.own) + len(question.said) - 1


def _processors_given(
    *_: object, logits_processor: LogitsProcessorList, **__: object
) -> LogitsProcessorList:
    return logits_processor


def _rules(
    network: PreTrainedModel, prompt: Sequence[int], device: torch.device, max_new_tokens: int = 1
) -> LogitsProcessorList:
    """Return what ``generate`` would do to a prompt's scores, by having it call us to decode."""
    found: LogitsProcessorList = network.generate(
        input_ids=torch.tensor([list(prompt)], device=device),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long, device=device),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        custom_generate=_processors_given,
    )
    return found
