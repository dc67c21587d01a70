"""Options that several commands have, each declared once.

An option that takes a value names what it takes; a switch says what it does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

FitRecipeFile = Annotated[
    Path,
    typer.Argument(help="TOML file; `trainer recipe` prints one.", show_default=False),
]
PretrainRecipeFile = Annotated[
    Path,
    typer.Argument(
        help="TOML file; `trainer recipe pretrain` prints one.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting in place of the recipe's; may be repeated."
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Pairs to train on: a data set folder or a file; a path or a URL.",
        show_default="the recipe's",
    ),
]
Images = Annotated[
    str | None,
    typer.Option("--images", help="Folder of its images.", show_default="the recipe's"),
]
MadeFolder = Annotated[
    str | None, typer.Option("--out", help="Folder to make.", show_default="the recipe's")
]
TellOnly = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be done and how long it is, and do nothing."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on at the last checkpoint.")]
OneAdapter = Annotated[
    str,
    typer.Option(
        "--adapter", metavar="[NAME=]DIR", help="Folder of a finished run.", show_default=False
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder to make.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
License = Annotated[
    str,
    typer.Option(
        "--license",
        metavar="NAME",
        help="Licence for the card: apache-2.0, cc-by-4.0, ...",
        show_default="the card's own",
    ),
]
Private = Annotated[
    bool, typer.Option("--private", help="Make a new repository that others cannot see.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go, and send nothing.")]
Agreed = Annotated[
    bool, typer.Option("--yes", help="Also write into a repository with other files.")
]


def settings_typed(
    overrides: Sequence[str] | None,
    data: str | None,
    images: str | None,
    out: str | None,
) -> list[str]:
    """Return all that is typed in place of a recipe's settings, each as ``KEY=VALUE``."""
    places = {"data": data, "images": images, "out": out}
    # What JSON writes as a text is TOML's as well.
    named = [f"{key}={json.dumps(place)}" for key, place in places.items() if place is not None]
    return [*(overrides or ()), *named]
