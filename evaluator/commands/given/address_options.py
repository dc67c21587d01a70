"""Options of a model behind an address, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared.endpoints.models.asked_settings import Thinking
from shared.endpoints.protocols.registry import Service

Endpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Ask --model at a server that speaks OpenAI's chat completions: vLLM, SGLang, Ollama, "
        "llama.cpp, LiteLLM. --adapter is then the name of a LoRA module there.",
    ),
]
Whose = Annotated[
    Service | None,
    typer.Option(
        "--service",
        help="Whose protocol: openai, or gemini, whose own address needs no --endpoint.",
        show_default="openai",
    ),
]
Keys = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="API keys, in any form that `curator run` takes.",
        show_default="OPENAI_API_KEY or none; GEMINI_API_KEYS",
    ),
]
InFlight = Annotated[
    int, typer.Option("--concurrency", "--in-flight", help="Most requests in flight.", min=1)
]
Timeout = Annotated[float, typer.Option(help="Longest wait for an answer, in seconds.", min=0.1)]
ImagePx = Annotated[
    int, typer.Option(help="Pictures are sent with so many pixels on the longer side.", min=16)
]
ThinkingLevel = Annotated[
    Thinking | None, typer.Option(help="How hard to think.", show_default="the model's choice")
]
ExtraBody = Annotated[
    str,
    typer.Option(
        metavar="JSON",
        help="Fields for each request, such as "
        '\'{"chat_template_kwargs": {"enable_thinking": false}}\'.',
        show_default="none",
    ),
]
