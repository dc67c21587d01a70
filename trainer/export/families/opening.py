"""Which families of models are exported, and loading one as graphs."""

from __future__ import annotations

from typing import Final

import torch

from shared.errors import InputError
from shared.vqa.blip.answerer import BlipAnswerer
from shared.vqa.blip2 import Blip2Answerer
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.families import is_chat_model, is_known_family, load_answerer
from shared.vqa.loading import BLIP, BLIP2, architecture, read_config
from shared.vqa.quantization import Quantization
from shared.vqa.vilt import ViltAnswerer
from trainer.export.families.blip import exportable_blip
from trainer.export.families.blip2 import exportable_blip2
from trainer.export.families.chat import CHAT, exportable_chat
from trainer.export.families.exportable import Exportable
from trainer.export.families.vilt import exportable_vilt
from trainer.export.targets import Target

_CPU: Final = torch.device("cpu")


def require_exported(model: str, target: Target) -> None:
    """Check, before it is loaded, that a model is of a family that is exported.

    Raises:
        InputError: it is not, or not for this target.
    """
    config = read_config(model)
    named = architecture(config)
    if target in {Target.WEB, Target.LITERT} and named != BLIP:
        what = "the page answers" if target is Target.WEB else "LiteRT answers"
        raise InputError(f"{model}: is a {named}; {what} with BLIP for VQA ({BLIP}) alone")
    if target is Target.OPENVINO and named == BLIP2:
        raise InputError(
            f"{model}: is a {named}, which OpenVINO 2026.4.1 runs rightly once alone: from the "
            "second picture on its Q-Former gives something else; export it --to onnx"
        )
    if is_known_family(config) or (is_chat_model(config) and named in CHAT):
        return
    raise InputError(
        f"{model}: is a {named}; only BLIP, ViLT and BLIP-2 for VQA and "
        f"{', '.join(sorted(CHAT))} are exported so far"
    )


def opened_exportable(model: str) -> Exportable:
    """Load a model as graphs, with its weights in float32.

    Raises:
        InputError: it cannot be found, or something of it has no counterpart in a bundle.
    """
    answerer = load_answerer(model, quantization=Quantization.NONE, device=_CPU)
    match answerer:
        case BlipAnswerer():
            return exportable_blip(answerer.model)
        case ViltAnswerer():
            return exportable_vilt(answerer.model)
        case Blip2Answerer():
            return exportable_blip2(answerer.model)
        case ChatAnswerer():
            return exportable_chat(answerer)
    raise InputError(f"{model}: is of no family that is exported")
