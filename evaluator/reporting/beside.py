"""The folder beside a page: every example that the page itself has no room for.

It holds scripts with ready cards, which a page that was opened from disk may load (it may not
fetch data), and the pictures that they show, each once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from evaluator.reporting.gallery import Card, Picture, Places, card
from evaluator.reporting.small_pictures import small_picture
from evaluator.runs.folder import Run
from shared.errors import InputError
from shared.files.atomic import replaced_folder
from shared.images.source import ImageFiles
from shared.images.thumbnails import Thumbnail
from shared.program.reporting.progress import report_progress

CHUNK: Final = 500
"""Cards in one script: about a megabyte."""
_MARK: Final = "cards-001.js"


@dataclass(frozen=True)
class Beside:
    """The scripts, relative to the page, and how many cards they hold."""

    scripts: Sequence[str]
    cards: int


def folder_beside(page: Path) -> Path:
    """Return the folder that belongs to a page: ``report_files`` to ``report.html``."""
    return page.with_name(f"{page.stem}_files")


def write_beside(
    page: Path,
    runs: Sequence[Run],
    rows: Sequence[Places],
    images: ImageFiles | None,
    render: Callable[[Card], str],
    *,
    first_number: int,
) -> Beside:
    """Write the cards of ``rows`` beside ``page``, whole or not at all; an old folder is replaced.

    Args:
        page: where the page will lie.
        runs: the runs of the report.
        rows: the questions that the page does not show.
        images: gives the pictures, if any.
        render: makes HTML of a card, with everything in it escaped.
        first_number: of the first card.

    Raises:
        InputError: the folder beside the page holds something else, or cannot be written.
    """
    folder = folder_beside(page)
    if folder.exists() and not (folder / _MARK).is_file():
        raise InputError(f"{folder}: is in the way of the report's examples; move it or --out")
    with replaced_folder(folder) as part:
        pictures = _write_pictures(part, folder.name, runs, rows, images)
        cards = (
            card(runs, row, number, pictures.get(_filename(runs, row)))
            for number, row in enumerate(rows, start=first_number)
        )
        scripts = _write_scripts(part, cards, render)
    return Beside([f"{quote(folder.name)}/{name}" for name in scripts], len(rows))


def remove_beside(page: Path) -> None:
    """Remove what an earlier report wrote beside ``page``."""
    if (folder_beside(page) / _MARK).is_file():
        shutil.rmtree(folder_beside(page))


def _filename(runs: Sequence[Run], row: Places) -> str:
    return runs[0].predictions[row[0]].pair.filename


def _write_pictures(
    part: Path, name: str, runs: Sequence[Run], rows: Sequence[Places], images: ImageFiles | None
) -> dict[str, Picture]:
    if images is None:
        return {}
    (part / "pictures").mkdir()
    names = sorted({_filename(runs, row) for row in rows})
    pictures: dict[str, Picture] = {}

    def small(filename: str) -> Thumbnail | None:
        return small_picture(images, filename)

    with (
        ThreadPoolExecutor(images.reads_at_once) as pool,
        report_progress("pictures beside the report", len(names)) as progress,
    ):
        for number, (filename, picture) in enumerate(
            zip(names, pool.map(small, names), strict=True)
        ):
            progress.advance()
            if picture is None:
                continue
            # Numbered: what a file is called in the data may be no name for a file here.
            (part / "pictures" / f"{number:06d}.jpg").write_bytes(picture.jpeg)
            href = f"{quote(name)}/pictures/{number:06d}.jpg"
            pictures[filename] = Picture(href, picture.width, picture.height)
    return pictures


def _write_scripts(part: Path, cards: Iterator[Card], render: Callable[[Card], str]) -> list[str]:
    names: list[str] = []
    chunk: list[dict[str, str]] = []

    def write() -> None:
        names.append(f"cards-{len(names) + 1:03d}.js")
        (part / names[-1]).write_text(f"abovqaCards({json.dumps(chunk)});\n", encoding="utf-8")
        chunk.clear()

    for entry in cards:
        chunk.append(
            {
                "outcome": entry.outcome.value,
                "type": entry.question_type,
                "text": entry.text,
                "html": render(entry),
            }
        )
        if len(chunk) == CHUNK:
            write()
    if chunk:
        write()
    return names
