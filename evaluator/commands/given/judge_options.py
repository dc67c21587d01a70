"""Options of a model that judges answers, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared.endpoints.models.asked_settings import Thinking
from shared.endpoints.protocols.registry import Service

Judge = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Have this model judge each answer, by question and references, without the picture.",
        show_default="nobody judges",
    ),
]
JudgeEndpoint = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where it is served; Gemini's own address needs none."),
]
JudgeService = Annotated[
    Service | None,
    typer.Option(help="Whose protocol: openai, or gemini.", show_default="openai"),
]
JudgeKeys = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Its API keys, in any form that `curator run` takes.",
        show_default="OPENAI_API_KEY or none; GEMINI_API_KEYS",
    ),
]
JudgeRubric = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A text that says which answers are right.",
        show_default="that of this release",
    ),
]
JudgeThinking = Annotated[
    Thinking | None,
    typer.Option(help="How hard it is to think.", show_default="the model's choice"),
]
JudgeExtraBody = Annotated[
    str, typer.Option(metavar="JSON", help="Fields for each request to it.", show_default="none")
]
JudgeInFlight = Annotated[
    int, typer.Option("--judge-concurrency", help="Requests to it at once.", min=1)
]
JudgeCache = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Where verdicts are kept: none is asked for twice.",
        show_default="judge/verdicts.sqlite in the cache",
    ),
]
