"""Questions as an exported model hears them, and what it says as answers.

Shapes: B questions, T question tokens, V vocabulary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

_WORD: Final = re.compile(r"[a-z]+")
_QUOTES: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_ENDINGS: Final = " ?!.\u00bf"

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class Answer(NamedTuple):
    """An answer's text and its probability under greedy decoding, in [0, 1]."""

    text: str
    confidence: float


def fold(question: str, rules: Mapping[str, Any]) -> str:
    """Return a question as the model was trained to hear it, by a manifest's rules, if any.

    What ``shared.questions.folding`` does; this file must stand alone.
    """
    if not rules:
        return question
    text = unicodedata.normalize("NFKC", question).translate(_QUOTES).lower()
    bare = " ".join(text.split()).rstrip(_ENDINGS)
    spellings: Mapping[str, str] = rules["spellings"]
    american = _WORD.sub(lambda word: spellings.get(word[0], word[0]), bare)
    return american + str(rules["ending"])


def heard(question: str, manifest: Mapping[str, Any]) -> str:
    """Return all the text that a model is given for a question, by its manifest's rules."""
    text = fold(_unmarked(question, manifest.get("marks", ())), manifest.get("questions") or {})
    prompt = manifest.get("prompt") or {}
    if prompt.get("strip"):
        text = text.strip()
    parts = (prompt.get("before", ""), *prompt.get("between", ()), prompt.get("after", ""))
    return text.join(parts)


def _unmarked(question: str, marks: Sequence[str]) -> str:
    """Return a question without words that stand for a picture and the spaces around these."""
    found = [mark for mark in marks if mark in question]
    if not found:
        return question
    words = "|".join(map(re.escape, sorted(found, key=len, reverse=True)))
    return re.sub(rf"\s*(?:{words})\s*", " ", question).strip()


def token_rows(
    tokenizer: Tokenizer, questions: Sequence[str], manifest: Mapping[str, Any]
) -> list[list[int]]:
    """Return the tokens of each question, within its prompt."""
    return [
        encoding.ids
        for encoding in tokenizer.encode_batch(
            [heard(question, manifest) for question in questions]
        )
    ]


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[Integers, Integers]:
    """Return ids and their mask (1 for a real token), both ``(B, T)``, filled on the right."""
    ids_BT = np.full((len(rows), max(map(len, rows))), pad, dtype=np.int64)
    mask_BT = np.zeros_like(ids_BT)
    for index, row in enumerate(rows):
        ids_BT[index, : len(row)] = row
        mask_BT[index, : len(row)] = 1
    return ids_BT, mask_BT


def image_by_image(
    image_of: Sequence[int],
    questions: Sequence[str],
    about: Callable[[int, list[str]], list[Answer]],
) -> list[Answer]:
    """Ask ``about`` each image all its questions at once, and return answers as they were asked."""
    answers: dict[int, Answer] = {}
    for image in dict.fromkeys(image_of):
        asked = [at for at, index in enumerate(image_of) if index == image]
        answered = about(image, [questions[at] for at in asked])
        answers.update(zip(asked, answered, strict=True))
    return [answers[at] for at in range(len(questions))]


def log_softmax_at(logits_BV: Floats, token_B: Integers) -> Floats:
    """Return each row's log-probability of its token, ``(B,)``."""
    top_B = logits_BV.max(-1)
    total_B = np.log(np.exp(logits_BV - top_B[:, None]).sum(-1))
    value: Floats = logits_BV[np.arange(len(token_B)), token_B] - top_B - total_B
    return value
