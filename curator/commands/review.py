"""``curator view``: people look at the pairs of a ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from curator.keys.variables import TOKEN_VARIABLE
from curator.ledger import migrate_unless_busy, require_ledger
from curator.ledger.database.plain import reading
from curator.ledger.reviews.browsing import images_dirs
from curator.review.desk import Desk
from shared.errors import InputError
from shared.program.async_stopping import ENDED_AT_ONCE, AsyncStopSignal, stop_on_signals
from shared.web.access import Address, address_in

LedgerArgument = Annotated[
    Path, typer.Argument(metavar="LEDGER", help="The campaign's file (SQLite).")
]
ListenAddress = Annotated[
    str, typer.Option("--listen", metavar="HOST:PORT", help="Address to serve the page at.")
]
PageToken = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar=TOKEN_VARIABLE,
        help="Token that the page asks for; needed where others can reach it.",
    ),
]
MovedImages = Annotated[Path | None, typer.Option(help="Images folder, if it moved since the run.")]


def view(
    ledger: LedgerArgument,
    listen: ListenAddress = "127.0.0.1:8090",
    images: MovedImages = None,
    token: PageToken = None,
) -> None:
    """Look at all pairs, with their pictures, on a page.

    Also while a run works; nothing is changed.
    """
    address = address_in(listen, token, option="--listen", variable=TOKEN_VARIABLE)
    require_ledger(ledger)
    if images is not None and not images.is_dir():
        raise InputError(f"{images}: no such images folder; give another --images")
    migrate_unless_busy(ledger)
    asyncio.run(_serve(Desk(ledger), address, images))


async def _serve(desk: Desk, address: Address, images: Path | None) -> None:
    # aiohttp's server takes a tenth of a second to import, and `--help` has a third.
    from curator.review.page.site import Looked, served  # noqa: PLC0415

    stop = AsyncStopSignal()
    folders = [images] if images else _folders(desk.path)
    with stop_on_signals(stop, "curator", ENDED_AT_ONCE):
        async with served(address, Looked(desk, folders)) as where:
            print(f"{desk.path}: look at {where.url} (Ctrl-C ends this)", flush=True)
            await stop.until_requested()


def _folders(ledger: Path) -> list[Path]:
    with reading(ledger) as connection:
        return [Path(folder) for folder in images_dirs(connection)]
