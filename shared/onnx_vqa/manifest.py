"""What a bundle says of itself, and whether its files are those that were exported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

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

_STATED: Final = frozenset({"graphs", "sha256", "tokenizer", "image"})
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
_KINDS: Final[Mapping[str, type]] = {
    **dict.fromkeys(
        ("graphs", "sha256", "image", "tokens", "prompt", "picture", "questions"), dict
    ),
    **dict.fromkeys(("cache", "labels", "providers"), list),
    **dict.fromkeys(("max_question_tokens", "max_new_tokens"), int),
    "tokenizer": str,
}
_WITHIN: Final[Mapping[str, frozenset[str]]] = {
    "image": frozenset({"resample", "rescale", "mean", "std"}),
    "picture": frozenset({"before", "token", "width"}),
    "tokens": frozenset({"end", "pad"}),
}
"""What some of that has to hold, whatever the family."""


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
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: not readable ({error})") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{path}: not what says of a bundle what it holds")
    if manifest.get("format") not in _FORMATS:
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
    for name, kind in _KINDS.items():
        if name in manifest and not isinstance(manifest[name], kind):
            return f"{name} is no {kind.__name__}"
    for name, parts in {**_WITHIN, "graphs": _GRAPHS[family], "sha256": _GRAPHS[family]}.items():
        if name in manifest and (lacking := sorted(parts - manifest[name].keys())):
            return f"{name} lacks {', '.join(lacking)}"
    if unknown := sorted({name.partition(" ")[0] for name in manifest["sha256"]} - _GRAPHS[family]):
        return f"sha256 has {', '.join(unknown)}, which is no graph"
    sizes = manifest["image"].keys()
    if not ({"height", "width"} <= sizes or "shortest" in sizes):
        return "image lacks a size"
    if engine_of(manifest) not in _KNOWN_ENGINES:
        return f"made for {engine_of(manifest)!r}, which this does not know"
    return ""


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
        except OSError as error:
            raise BundleError(f"{path}: not readable ({error.strerror})") from error
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
