"""``curator agreement``: what agreement with the listing looks at, as a file to edit."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from curator.prompts.languages.words import ENGLISH
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next

MapLanguage = Annotated[
    str, typer.Option("--language", metavar="CODE", help="Of the questions: en, de or hi.")
]


def agreement(language: MapLanguage = ENGLISH) -> None:
    """Print which fields of a listing answer which questions.

    Edited, the file is given to `run` and `reparse` with --agreement FILE.
    """
    from curator.judging.agreeing.listing_map import MAPPED, map_text

    if language not in MAPPED:
        raise InputError(
            f"--language {language}: there are {', '.join(MAPPED)}; a file of your own may be in "
            "any, see docs/catalogues.md"
        )
    sys.stdout.write(map_text(language))
    tell_next("curator", "run", "--catalog", "CATALOG", "--ledger", "LEDGER", "--agreement", "FILE")
