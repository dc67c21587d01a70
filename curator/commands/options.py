"""Options that several commands have, each declared once.

An option that takes a value names what it takes; a switch says what it does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from curator.prompts.reply_fields import MOST_VIEWS
from shared.endpoints.models.asked_settings import ImageDetail, Thinking
from shared.endpoints.models.known import packaged_models
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.registry import Service

USUAL_LATENCY_S: Final = 5.0
"""Seconds that a reply takes where nothing is known of it."""

CatalogPath = Annotated[
    str,
    typer.Option(
        help="Catalogue: an ABO download, a table with an image column, or a folder; a path, or "
        "hf://datasets/OWNER/NAME."
    ),
]
KeysFile = Annotated[
    Path | None,
    typer.Option(help="API keys: TOML, or a list (lines, .env, JSON, CSV); else GEMINI_API_KEYS."),
]
ImagesFolder = Annotated[
    str | None,
    typer.Option(help="Images folder, if not the catalogue's own; a path, or of the hub as well."),
]
ColumnsOfTable = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="FIELD=COLUMN,...",
        help="What a table's columns hold, such as image=Bild,id=Art-Nr,title=Name.",
    ),
]
ListingMapFile = Annotated[
    Path | None,
    typer.Option(
        "--agreement",
        metavar="FILE",
        help="TOML: which fields of a listing answer what (see `curator agreement`).",
    ),
]
ServiceName = Annotated[
    Service,
    typer.Option(
        "--service",
        "--annotator",
        help="Whose protocol: Gemini's, or OpenAI's (Ollama, vLLM, ...).",
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        "--base-url",
        metavar="URL",
        help="Address of another server, such as `curator rehearse`.",
        show_default="the service's own",
    ),
]
ModelNames = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Model to ask; give several in order of preference.",
        show_default=f"{packaged_models().default} for gemini",
    ),
]
ModelsPath = Annotated[
    Path | None,
    typer.Option(
        "--models", metavar="FILE", help="TOML file about models, over what this release knows."
    ),
]
VerifiedShare = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        metavar="FRACTION",
        help="Share of the questions to ask again, without their answers, and compare.",
    ),
]
CanaryImages = Annotated[
    int,
    typer.Option(
        "--canary",
        min=0,
        metavar="IMAGES",
        help="Images to ask about again each quota day: tells when a model changes under its name.",
    ),
]
MinPixels = Annotated[
    int, typer.Option(min=0, help="Shorter side of a picture, in pixels, below which to skip it.")
]
MinContrast = Annotated[
    float,
    typer.Option(min=0.0, help="Standard deviation of grey levels below which it is blank: skip."),
]
MinSharpness = Annotated[
    float,
    typer.Option(min=0.0, help="That of its Laplacian below which it is blurred: skip."),
]
ThinkingLevel = Annotated[
    Thinking | None,
    typer.Option("--thinking", help="How hard to think, if not as the model chooses by itself."),
]
DetailOfImages = Annotated[
    ImageDetail | None,
    typer.Option("--image-detail", help="In what detail to look, if not as the model chooses."),
]
TierName = Annotated[
    Tier,
    typer.Option(
        "--tier", help="How soon, at what price: flex takes minutes, batch up to a day; half price."
    ),
]
PromptFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--prompt",
        metavar="FILE[=SHARE]",
        help="Prompt file, see `curator prompt`; several share out the images.",
        show_default="the packaged one",
    ),
]
QuestionsPerImage = Annotated[
    int | None,
    typer.Option(
        min=1, max=50, help="Questions for each image.", show_default="as the prompt says, or 10"
    ),
]
ViewsPerRequest = Annotated[
    int,
    typer.Option(
        "--views",
        min=1,
        max=MOST_VIEWS,
        help="Pictures of one listing in a request, at most; each pair names the one it needs.",
    ),
]
AnswerWords = Annotated[
    int | None,
    typer.Option(
        min=1, max=20, help="Longest answer, in words.", show_default="as the prompt says, or 1"
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="Most requests in flight.", show_default="16; 128 at flex"),
]
LedgerFile = Annotated[Path, typer.Option("--ledger", help="The campaign's file (SQLite).")]
CampaignId = Annotated[
    int | None, typer.Option(help="Campaign to take, where the ledger holds several.")
]
CampaignIds = Annotated[
    list[int] | None,
    typer.Option(
        "--campaign", metavar="ID", help="Campaign to take, where there are several; repeatable."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PushTo = Annotated[
    str,
    typer.Option(
        "--push",
        metavar="OWNER/NAME",
        help="Also send the folder to the hub that HF_ENDPOINT names, in one commit.",
    ),
]
PushPrivately = Annotated[
    bool,
    typer.Option("--private", help="With --push: make a repository that others cannot see."),
]
PushDryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="With --push: say what would go, and send nothing."),
]
PushBesideOthers = Annotated[
    bool, typer.Option("--yes", help="With --push: also into a repository with other files.")
]
