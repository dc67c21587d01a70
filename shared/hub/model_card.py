"""A model's card: its head with a `model-index`, written and read by the hub's own package."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared.errors import InputError
from shared.hub.figures import CardFigure
from shared.hub.parcel import CARD_FILE

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

_TASK: Final = "visual-question-answering"
_OURS: Final = "abo-vqa"
"""The key under which a head says what only this project reads."""
_WEIGHTS: Final = "weights"
_HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+")
_BEGIN, _END = "<!-- figures of scorecards -->", "<!-- end of figures -->"
_TABLE: Final = re.compile(rf"\n*{_BEGIN}.*?{_END}\n*", re.DOTALL)


def adapter_facts(base: str, family: str) -> dict[str, object]:
    """Return what the head of an adapter's card says besides its figures."""
    return {
        "library_name": "peft",
        "base_model": base,
        "tags": ["lora", family.lower(), "vqa", "abo-vqa"],
    }


def model_facts(family: str) -> dict[str, object]:
    """Return what the head of a whole model's card says besides its figures and its base."""
    return {"library_name": "transformers", "tags": [family.lower(), "vqa", "abo-vqa"]}


def card_head(model_name: str, figures: Sequence[CardFigure], facts: Mapping[str, object]) -> str:
    """Return the head of a card as YAML between dashes; ``facts`` are its other keys."""
    from huggingface_hub import ModelCardData  # noqa: PLC0415

    results = [_result(figure) for figure in figures]
    data = ModelCardData(
        **facts,  # type: ignore[arg-type]
        pipeline_tag=_TASK,
        model_name=model_name if results else None,
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---"


def card_for_hub(
    card: str,
    name: str,
    figures: Sequence[CardFigure] = (),
    *,
    license_name: str = "",
    weights: str = "",
    earlier: str = "",
    source: str = CARD_FILE,
) -> str:
    """Return a card as it goes up: with further figures, and a table of those with intervals.

    A figure of the same metric on the same data takes the place of the one of before. ``name`` is
    the repository's, ``weights`` what tells the model from others. The figures of an ``earlier``
    card about the same weights are kept. ``source`` names the card in errors.

    Raises:
        InputError: the card's head cannot be read.
    """
    parsed, data = _parsed(card, source)
    added = [_result(figure) for figure in figures]
    own_results = data.eval_results or ()
    same = {_identity(result) for result in added}
    known = {_identity(result): result for result in (*_earlier(earlier, weights), *own_results)}
    kept = [result for identity, result in known.items() if identity not in same]
    data.model_name = name.rpartition("/")[2]
    data.eval_results = [*kept, *added] or None
    # A hub takes its own models for a base, and refuses the whole card for any other name.
    if isinstance(data.base_model, str) and not is_hub_id(data.base_model):
        data.base_model = None
    if license_name:
        data.license = license_name
    if weights:
        data[_OURS] = {_WEIGHTS: weights}
    # Without its figures the head's name would be a key of its own.
    if data.eval_results is None:
        data.model_name = None
    body = _TABLE.sub("\n\n", parsed.text).rstrip()
    table = _table(data.eval_results or ())
    parsed.text = f"{body}\n\n{table}\n" if table else f"{body}\n"
    return str(parsed).rstrip() + "\n"


def is_hub_id(model: str) -> bool:
    """Return whether a model is called as a hub calls its own: by owner and name."""
    return _HUB_ID.fullmatch(model) is not None


def card_text(path: Path) -> str:
    """Return the text of a card's file; "" where there is none.

    Raises:
        InputError: it is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8; mend it, or remove it") from error


def named_weights(card: str) -> str:
    """Return what tells the weights that a card is about from others; "" where it does not say."""
    try:
        ours = _parsed(card)[1].get(_OURS)
    except InputError:
        # Somebody else's, with a head that nothing reads.
        return ""
    return str(ours.get(_WEIGHTS, "")) if isinstance(ours, dict) else ""


def named_license(card: str) -> str:
    """Return the licence that a card names; "" where it names none.

    Raises:
        InputError: the card's head cannot be read.
    """
    return str(_parsed(card)[1].get("license") or "")


def _parsed(card: str, source: str = CARD_FILE) -> tuple[ModelCard, ModelCardData]:
    import yaml  # noqa: PLC0415
    from huggingface_hub import ModelCard, ModelCardData  # noqa: PLC0415

    try:
        parsed = ModelCard(card)
        assert isinstance(parsed.data, ModelCardData)
    except (ValueError, TypeError, yaml.YAMLError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{source}: its head cannot be read ({reason}); mend it") from error
    return parsed, parsed.data


def _earlier(card: str, weights: str) -> Sequence[EvalResult]:
    if not card or not weights or named_weights(card) != weights:
        return ()
    return _parsed(card)[1].eval_results or ()


def _result(figure: CardFigure) -> EvalResult:
    from huggingface_hub import EvalResult  # noqa: PLC0415

    arguments: dict[str, Any] = {"questions": figure.n}
    if figure.ci95:
        arguments["ci95"] = [round(end, 6) for end in figure.ci95]
    if figure.signature:
        arguments["signature"] = figure.signature
    if figure.seen_images:
        arguments |= {"images": figure.images, "images_seen_in_training": figure.seen_images}
    return EvalResult(
        task_type=_TASK,
        task_name="Visual Question Answering",
        dataset_type=figure.data_id or figure.data,
        dataset_name=figure.data,
        dataset_split=figure.split or None,
        metric_type=figure.metric,
        metric_name=figure.metric.replace("_", " "),
        metric_value=round(figure.value, 6),
        metric_args=arguments,
    )


def _identity(result: EvalResult) -> tuple[object, ...]:
    return (*result.unique_identifier, result.metric_type)


def _table(results: Sequence[EvalResult]) -> str:
    """Return the table of the figures that have an interval; "" where none has one."""
    rows = [
        f"| {result.dataset_name} | {result.dataset_split or ''} | {result.metric_name} "
        f"| {result.metric_value:.4f} | {low:.4f} to {high:.4f} | {args['questions']:,} |"
        for result in results
        if (args := result.metric_args or {}).get("ci95")
        for low, high in [args["ci95"]]
    ]
    if not rows:
        return ""
    head = "| data | split | metric | value | 95 % interval | questions |\n" + "| --- " * 6 + "|"
    return "\n".join([_BEGIN, "## Scores", "", head, *rows, *_seen_notes(results), _END])


def _seen_notes(results: Sequence[EvalResult]) -> Iterator[str]:
    """Yield what a reader must know of scored images that the model was trained on."""
    notes = {
        f"Of the {args['images']:,} images of {result.dataset_name}, the model was trained on at "
        f"least {args['images_seen_in_training']:,}: on these it is no score on unseen images."
        for result in results
        if (args := result.metric_args or {}).get("images_seen_in_training")
    }
    for note in sorted(notes):
        yield from ("", note)
