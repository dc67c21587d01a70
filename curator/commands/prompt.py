"""``curator prompt``: the default prompt file, or what one's own asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from curator.commands.options import AnswerWords, ColumnsOfTable, ImagesFolder, QuestionsPerImage
from shared.program.command_line.next_step import tell_next
from shared.records import ImageRef, Listing

if TYPE_CHECKING:
    from curator.catalog import Catalog
    from curator.prompts.prompt import Prompt

PromptPath = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Prompt file to check, if any.")
]
ExampleCatalog = Annotated[
    str | None, typer.Option("--catalog", help="Catalogue whose first listing is the example.")
]
_EXAMPLE: Final = Listing(
    "example",
    ImageRef("example", "example.jpg"),
    {
        "item_name": "Oak bar stool with footrest",
        "product_type": "STOOL_SEATING",
        "color": "Brown",
        "material": "Wood",
    },
)


def prompt(
    file: PromptPath = None,
    *,
    catalog: ExampleCatalog = None,
    images: ImagesFolder = None,
    columns: ColumnsOfTable = None,
    questions: QuestionsPerImage = None,
    answer_words: AnswerWords = None,
) -> None:
    """Print the default prompt file, or check one.

    With a file, what is sent about an example listing is shown.
    """
    from curator.catalog import catalog_columns, local_catalogue, open_catalog
    from curator.judging.examples import require_sound_examples
    from curator.prompts.prompt import with_numbers
    from curator.prompts.prompt_file import default_text, read_prompt_file
    from curator.prompts.prompts import Prompts

    if file is None:
        print(default_text(), end="")
        tell_next("curator", "prompt", "FILE.toml")
        return
    made = with_numbers(read_prompt_file(file), questions, answer_words)
    require_sound_examples(made, file)
    listing = _EXAMPLE
    if catalog is not None:
        opened = open_catalog(*local_catalogue(catalog, images), catalog_columns(columns))
        Prompts.alone(made, file.stem).require_fields(opened)
        listing = _first_listing(opened)
    print(_shown(file, made, listing))
    words = ["CATALOG" if catalog is None else catalog, "--prompt", str(file)]
    tell_next("curator", "plan", "--catalog", *words)


def _first_listing(catalog: Catalog) -> Listing:
    from curator.catalog import Skipped, nothing_usable

    skipped = Skipped()
    for listing in catalog.listings(skipped):
        return listing
    raise nothing_usable(catalog, skipped)


def _shown(file: Path, made: Prompt, listing: Listing) -> str:
    from curator.prompts.wording import words_text

    request = made.request(listing.metadata, b"", 0, image=listing.image.path)
    schema = json.dumps(request.schema.content, indent=2, ensure_ascii=False)
    parts = {
        f"{file}: version {made.version}, {made.questions} questions, answers of "
        f"{words_text(made.answer_words)}, in {made.language.name}": "",
        "before the image": request.prompt_text,
        f"the image: {listing.image.path}": "",
        "after the image": request.closing_text or "(nothing)",
        "the form of the reply": schema,
    }
    return "\n\n".join(f"--- {head}\n{text}".rstrip() for head, text in parts.items())
