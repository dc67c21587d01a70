"""What a bundle says of itself, and whether its files are those that were exported."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image
from tokenizers import Tokenizer

MANIFEST: Final = "bundle.json"
FORMAT: Final = 1
WITH_OPENVINO: Final = 2
WITH_FAMILIES: Final = 3
"""A bundle's format: higher where files that read the lower one alone would not read it. From 3 on
a bundle says itself which engine and which family of models it is for."""
_FORMATS: Final = (FORMAT, WITH_OPENVINO, WITH_FAMILIES)

BLIP: Final = "blip"
VILT: Final = "vilt"
LANGUAGE: Final = "language"
"""Families: a BLIP, a ViLT, and a language model that reads a picture as tokens (BLIP-2, chat)."""

_STATED: Final = frozenset({"graphs", "sha256", "tokenizer", "image"}) | {
    *("variant", "architecture", "model", "revision", "adapter_sha256")
}
_STATED_BY: Final[Mapping[str, frozenset[str]]] = {
    BLIP: frozenset({"tokens", "max_question_tokens", "max_new_tokens"}),
    VILT: frozenset({"labels", "max_question_tokens"}),
    LANGUAGE: frozenset({"tokens", "prompt", "picture", "cache", "max_new_tokens"}),
}
"""What a manifest has to say for questions to be answered."""
_GRAPHS: Final[Mapping[str, frozenset[str]]] = {
    BLIP: frozenset({"image_encoder", "question_encoder", "decoder_step"}),
    VILT: frozenset({"image_encoder", "classifier"}),
    LANGUAGE: frozenset({"image_encoder", "language_model"}),
}
_KNOWN_ENGINES: Final = frozenset({"onnx", "openvino", "litert"})
_ANY: Final = "*"
_TEXTS: Final = {_ANY: str}
_KINDS: Final[Mapping[str, Any]] = {
    "graphs": _TEXTS,
    "sha256": _TEXTS,
    **dict.fromkeys(("tokenizer", "variant", "architecture", "model", "revision"), str),
    **dict.fromkeys(("adapter_sha256", "template", "cleaning"), str),
    **dict.fromkeys(("max_question_tokens", "max_new_tokens"), int),
    "providers": [str],
    "labels": [str],
    "marks": [str],
    "cache": [int],
    "image": {
        **dict.fromkeys(("resample", "height", "width", "shortest", "longest", "divisor"), int),
        "mean": [float],
        "std": [float],
        "rescale": float,
        "crop": [int],
        "rows_first": bool,
    },
    "tokens": {"start": int, "end": (int, [int]), "pad": int},
    "prompt": {"before": str, "after": str, "between": [str], "strip": bool},
    "picture": {"before": [int], "token": (int, None), "width": int},
    "questions": {"folding": str, "version": int, "ending": str, "spellings": _TEXTS},
    "lengths": {_ANY: int},
    "outputs": {_ANY: [str]},
}
"""What is said of each: of which kind it is, or one of several, wherever it stands."""
_WITHIN: Final[Mapping[str, frozenset[str]]] = {
    "image": frozenset({"resample", "rescale", "mean", "std"}),
    "picture": frozenset({"before", "token", "width"}),
    "tokens": frozenset({"end", "pad"}),
    "lengths": frozenset({"question", "answer"}),
    "prompt": frozenset({"before", "after"}),
    "questions": frozenset({"folding", "version", "ending", "spellings"}),
}
"""What some of that has to hold, whatever the family."""
_ABOVE_ZERO: Final = frozenset({"height", "width", "shortest", "longest", "divisor", "crop"}) | {
    *("max_new_tokens", "max_question_tokens", "cache", "question", "answer", "std")
}
"""Sizes, lengths and what is divided by."""
_MOST: Final = 2**31
_LENGTHS: Final = {"mean": 3, "std": 3, "crop": 2, "cache": 3}


class BundleError(ValueError):
    """A folder is no bundle, one of another format, or damaged."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a bundle says of itself.

    Raises:
        BundleError: ``folder`` holds no bundle of this format.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder}: no exported model ({MANIFEST} is missing)") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not readable ({error})") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{path}: not what says of a bundle what it holds")
    if manifest.get("format") not in _FORMATS or isinstance(manifest["format"], bool):
        raise BundleError(
            f"{path}: format {manifest.get('format')}, and this reads {FORMAT} to {WITH_FAMILIES}"
        )
    family = family_of(manifest)
    if family not in _STATED_BY:
        raise BundleError(f"{path}: for models of the family {family!r}, which this does not read")
    if lacking := sorted((_STATED | _STATED_BY[family]) - manifest.keys()):
        raise BundleError(f"{path}: damaged, lacks {', '.join(lacking)}")
    if wrong := _wrong_within(manifest, family):
        raise BundleError(f"{path}: damaged, {wrong}")
    return manifest


def _wrong_within(manifest: Mapping[str, Any], family: str) -> str:
    """Return what is wrong with what a manifest says; empty where nothing is seen."""
    known = {name: kind for name, kind in _KINDS.items() if name in manifest}
    for name, kind in known.items():
        if wrong := _misfit(name, manifest[name], kind):
            return wrong
    parts = {**_WITHIN, "graphs": _GRAPHS[family], "sha256": _GRAPHS[family]}
    if family == BLIP:
        parts["tokens"] |= {"start"}
    if engine_of(manifest) == "litert":
        parts["outputs"] = _GRAPHS[family]
    for name, needed in parts.items():
        told = manifest.get(name, {} if name == "outputs" else None)
        # Without a prompt or a folding, what is there of them is empty.
        if told is None or (not told and name in {"prompt", "questions"}):
            continue
        if lacking := sorted(needed - told.keys()):
            return f"{name} lacks {', '.join(lacking)}"
    if unknown := sorted({name.partition(" ")[0] for name in manifest["sha256"]} - _GRAPHS[family]):
        return f"sha256 has {', '.join(unknown)}, which is no graph"
    if family == BLIP and not isinstance(manifest["tokens"]["end"], int):
        return "tokens.end is no int"
    if engine_of(manifest) not in _KNOWN_ENGINES:
        return f"made for {engine_of(manifest)!r}, which this does not know"
    return _wrong_image(manifest["image"])


def _wrong_image(rules: Mapping[str, Any]) -> str:
    """Return what is wrong with how a picture becomes pixels; empty where nothing is seen."""
    if not ({"height", "width"} <= rules.keys() or "shortest" in rules):
        return "image lacks a size"
    if "divisor" in rules and "longest" not in rules:
        return "image lacks longest"
    if rules["resample"] not in set(Image.Resampling):
        return f"image has resample {rules['resample']}, which Pillow does not know"
    return ""


def _misfit(name: str, value: Any, kind: Any) -> str:  # noqa: ANN401 (of a file)
    """Return how a value is not of its kind, named by where it stands; empty where it is."""
    if isinstance(kind, tuple):
        misfits = [_misfit(name, value, one) for one in kind]
        return "" if "" in misfits else misfits[0]
    last = name.rpartition(".")[2]
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return f"{name} is no dict"
        rows = ((key, one, kind.get(key, kind.get(_ANY))) for key, one in value.items())
        each = (_misfit(f"{name}.{key}", one, of) for key, one, of in rows if of is not None)
    elif isinstance(kind, list):
        if not isinstance(value, list):
            return f"{name} is no list"
        if len(value) != _LENGTHS.get(last, len(value)):
            return f"{name} has {len(value)} values, not {_LENGTHS[last]}"
        each = (_misfit(name, one, kind[0]) for one in value)
    else:
        return _misfit_of_one(name, value, kind)
    return next(filter(None, each), "")


def _misfit_of_one(name: str, value: Any, kind: Any) -> str:  # noqa: ANN401 (as above)
    if kind is None:
        return "" if value is None else f"{name} is no null"
    # JSON's true and false are numbers to Python.
    fitting = (int, float) if kind is float else kind
    if not isinstance(value, fitting) or isinstance(value, bool) != (kind is bool):
        return f"{name} is no {kind.__name__}"
    if kind not in {int, float}:
        return ""
    if not math.isfinite(value) or abs(value) > _MOST:
        return f"{name} is {value}, which is no number to compute with"
    too_little = value <= 0 and name.rpartition(".")[2] in _ABOVE_ZERO
    return f"{name} is {value}, and has to be above 0" if too_little else ""


def family_of(manifest: Mapping[str, Any]) -> str:
    """Return which family of models a bundle is of; those of the first formats are BLIPs."""
    return str(manifest.get("family", BLIP))


def engine_of(manifest: Mapping[str, Any]) -> str:
    """Return what runs a bundle's graphs."""
    older = "openvino" if manifest["format"] == WITH_OPENVINO else "onnx"
    return str(manifest.get("engine", older))


def require_as_exported(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check each graph by its hash: with other weights it would answer too, and wrongly.

    Raises:
        BundleError: a file is missing or is not what was exported.
    """
    for name, digest in manifest["sha256"].items():
        graph, _, weights = name.partition(" ")
        path = folder / manifest["graphs"][graph]
        path = path.with_suffix(".bin") if weights else path
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BundleError(f"{path}: not readable ({reason})") from error
        if found != digest:
            raise BundleError(f"{path}: damaged, not the file that was exported")


def read_tokenizer(path: Path) -> Tokenizer:
    """Return a bundle's tokenizer, which neither pads nor cuts.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers has no class of its own for its errors
        raise BundleError(f"{path}: not readable ({error})") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def template_of(manifest: Mapping[str, Any]) -> str:
    """Return the prompt that a bundle's model was exported with; empty where it has none.

    Bundles of before say no more than what stands around a question.
    """
    rules = manifest.get("prompt")
    if "template" in manifest or not rules:
        return str(manifest.get("template", ""))
    return "{question}".join((rules["before"], *rules.get("between", ()), rules["after"]))
