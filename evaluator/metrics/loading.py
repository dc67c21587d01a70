"""The text models that a set of metrics needs, loaded once and handed to the scoring."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from evaluator.metrics.choice import require_tools
from evaluator.metrics.metric import Metric
from evaluator.metrics.text_models.loaded import TextModel, TextModels
from evaluator.metrics.text_models.names import AUTOMATIC, DISTILBERT, MINILM
from shared.errors import InputError
from shared.program.process.freed_memory import keep_freed_memory
from shared.program.reporting.event_log import EventLog

if TYPE_CHECKING:
    from evaluator.metrics.text_models.bertscore import BertScorer
    from evaluator.metrics.text_models.clip import ClipScorer
    from evaluator.metrics.text_models.embeddings import SentenceEncoder
    from evaluator.metrics.text_models.judging import Judging

log = EventLog(__name__)


def load_text_models(
    metrics: Collection[Metric],
    *,
    sentence_model: str = MINILM,
    bertscore_model: str = AUTOMATIC,
    bertscore_layers: int | None = None,
    number_words: bool = False,
    clip_model: str = "",
    clip_weights: str = "",
    images: str | None = None,
    judge: Judging | None = None,
) -> TextModels:
    """Load what ``metrics`` need and nothing else.

    Args:
        metrics: the metrics that will be computed.
        sentence_model: SBERT model, a folder or a hub name.
        bertscore_model: encoder, a folder, a hub name or ``AUTOMATIC``.
        bertscore_layers: which layer to read; by default the library's choice, or the last.
        number_words: whether CSNS reads number words as numbers.
        clip_model: open_clip's architecture; by default CLIP ViT-B/32.
        clip_weights: its weights, a checkpoint file or a tag; by default OpenAI's.
        images: where the pictures for CLIP lie.
        judge: who judges answers, where a metric asks for verdicts.

    Raises:
        InputError: a model is neither on this machine nor to be fetched, or a metric's tool is
            missing.
    """
    require_tools(metrics)
    wanted = {model for metric in metrics for model in metric.models}
    if TextModel.CLIP in wanted and images is None:
        asking = next(metric for metric in metrics if TextModel.CLIP in metric.models)
        raise InputError(f"--metrics {asking}: needs the pictures; name them with --images DIR")
    sentences = _load_sentences(sentence_model) if TextModel.SENTENCES in wanted else None
    words = None
    if TextModel.WORDS in wanted:
        words = _load_bertscorer(bertscore_model, bertscore_layers)
    clip = None
    if TextModel.CLIP in wanted and images is not None:
        clip = _load_clip(clip_model, clip_weights, images)
    if wanted - {TextModel.JUDGE}:
        keep_freed_memory()
    return TextModels(sentences, words, number_words, clip, judge)


def require_text_models(
    metrics: Collection[Metric],
    *,
    sentence_model: str,
    bertscore_model: str,
    bertscore_layers: int | None,
    clip_model: str,
    clip_weights: str,
) -> None:
    """Look for what ``load_text_models`` will load: hours of answering are not to end there.

    Raises:
        InputError: a model is neither on this machine nor to be fetched, or has fewer layers.
    """
    wanted = {model for metric in metrics for model in metric.models}
    if not wanted - {TextModel.JUDGE}:
        return
    from evaluator.metrics.text_models.model_source import find_text_model  # noqa: PLC0415

    if TextModel.SENTENCES in wanted:
        find_text_model(sentence_model)
    if TextModel.WORDS in wanted:
        _require_words(bertscore_model, bertscore_layers)
    if TextModel.CLIP in wanted:
        from evaluator.metrics.text_models.clip import (  # noqa: PLC0415
            CLIP_MODEL,
            CLIP_WEIGHTS,
            require_clip,
        )

        require_clip(clip_model or CLIP_MODEL, clip_weights or CLIP_WEIGHTS)


def _require_words(name: str, layers: int | None) -> None:
    from evaluator.metrics.text_models.model_source import find_text_model  # noqa: PLC0415

    try:
        # Of the two, the one that mostly lies here: a hub is asked once, when it is loaded.
        source = find_text_model(MINILM if name == AUTOMATIC else name)
    except InputError:
        if name != AUTOMATIC:
            raise
        source = find_text_model(DISTILBERT)
    if layers is not None:
        from transformers import AutoConfig  # noqa: PLC0415

        most = AutoConfig.from_pretrained(source.folder).num_hidden_layers
        if layers > most:
            raise InputError(f"--bertscore-layers {layers}: {source.name} has layers 1 to {most}")


def _load_sentences(name: str) -> SentenceEncoder:
    from evaluator.metrics.text_models.embeddings import SentenceEncoder  # noqa: PLC0415
    from evaluator.metrics.text_models.model_source import find_text_model  # noqa: PLC0415

    return SentenceEncoder(find_text_model(name))


def _load_clip(model: str, weights: str, images: str) -> ClipScorer:
    from evaluator.metrics.text_models.clip import CLIP_MODEL, CLIP_WEIGHTS, ClipScorer  # noqa: PLC0415

    return ClipScorer(model or CLIP_MODEL, weights or CLIP_WEIGHTS, images)


def _load_bertscorer(name: str, layers: int | None) -> BertScorer:
    from evaluator.metrics.text_models.bertscore import BertScorer  # noqa: PLC0415
    from evaluator.metrics.text_models.model_source import find_text_model  # noqa: PLC0415

    if name != AUTOMATIC:
        return BertScorer(find_text_model(name), layers)
    try:
        return BertScorer(find_text_model(DISTILBERT), layers)
    except InputError as error:
        log.warning("bertscore_model_replaced", wanted=DISTILBERT, used=MINILM, reason=str(error))
        return BertScorer(find_text_model(MINILM), layers)
