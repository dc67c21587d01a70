"""The model of a replica: loaded as its settings say, and which one it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluator.answering.bundle import BundleAnswerer
from evaluator.answering.messages import ModelFacts
from evaluator.answering.replica_settings import ReplicaSettings
from shared.onnx_vqa import is_bundle
from shared.questions.folding import AS_IT_COMES, QuestionFolding
from shared.vqa.answerer import Answerer
from shared.vqa.families import load_answerer


def loaded_model(settings: ReplicaSettings) -> Answerer[Any, Any] | BundleAnswerer:
    """Return the model that answers.

    Raises:
        InputError: it or an adapter cannot be loaded.
    """
    if is_bundle(settings.model):
        return BundleAnswerer(settings.model)
    return load_answerer(
        settings.model,
        adapter=Path(settings.adapter) if settings.adapter else None,
        adapters={name: Path(folder) for name, folder in settings.adapters},
        quantization=settings.quantization,
        instruction=settings.instruction,
    )


def model_facts(answerer: Answerer[Any, Any]) -> ModelFacts:
    """Return which model was loaded and how it answers, for provenance."""
    model = answerer.model
    return ModelFacts(
        model=model.name,
        revision=model.revision,
        quantization=model.quantization.value,
        adapter_sha256=model.adapter_sha256,
        device=model.device.type,
        dtype=str(model.network.dtype).removeprefix("torch."),
        architecture=type(model.network).__name__,
        computed_once=answerer.computed_once or "nothing: the model's own generate",
        question_folding=_foldings_text(model.foldings),
        answer_cleaning=answerer.cleaning,
    )


def _foldings_text(foldings: Mapping[str, QuestionFolding]) -> str:
    """Return how questions are folded; by adapter where they differ."""
    if len(set(foldings.values())) <= 1:
        return str(next(iter(foldings.values()), AS_IT_COMES))
    return ", ".join(f"{name}: {folding}" for name, folding in foldings.items())
