"""Options that several commands have, each declared once.

An option that takes a value names what it takes; a switch says what it does.
"""

from __future__ import annotations

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
Resume = Annotated[bool, typer.Option("--resume", help="Go on at the last checkpoint.")]
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
