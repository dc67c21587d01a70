"""``curator view`` and ``curator review``: people look at the pairs of a ledger, and decide."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.commands.options import AsJson, LedgerFile
from curator.ledger.reviews.candidates import Order
from shared.endpoints.keys.variables import TOKEN_VARIABLE
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next

if TYPE_CHECKING:
    from curator.review.desk import Desk
    from curator.review.sitting import Sitting
    from shared.web.access import Address

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
MovedImages = Annotated[str | None, typer.Option(help="Images folder, if it moved since the run.")]
ReviewerName = Annotated[
    str, typer.Option(metavar="NAME", help="Who reviews, if the page is not to ask for it.")
]
FirstOrder = Annotated[Order, typer.Option(help="Order of the pairs, until the page chooses one.")]
DrawSeed = Annotated[int, typer.Option(min=0, max=2**31 - 2, help="Seed of the random order.")]
DoubleShare = Annotated[
    float,
    typer.Option(
        "--double",
        min=0.0,
        max=1.0,
        metavar="FRACTION",
        help="Share of the pairs that two people are to judge.",
    ),
]
ImportedFile = Annotated[
    Path | None,
    typer.Option(
        "--import",
        metavar="FILE",
        help="Take in what came back from Label Studio or Argilla, and serve nothing.",
    ),
]
OnlyFile = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="FILE",
        help="Judge only the pairs whose image and question this file has, of the hub too; of what "
        "`evaluator predict --sure` wrote, the rows that are not sure.",
    ),
]
ShowsReport = Annotated[
    bool, typer.Option("--report", help="Print what people found out so far, and serve nothing.")
]


def view(
    ledger: LedgerFile,
    listen: ListenAddress = "127.0.0.1:8090",
    images: MovedImages = None,
    token: PageToken = None,
) -> None:
    """Look at all pairs, with their pictures, on a page.

    Also while a run works; nothing is changed.
    """
    import asyncio

    from curator.review.desk import Desk
    from shared.images.stores import local_folder

    folder = local_folder(images)
    address = _address(ledger, listen, folder, token)
    asyncio.run(_serve(Desk(ledger), address, folder))
    tell_next("curator", "review", "--ledger", ledger)


def review(
    *,
    ledger: LedgerFile,
    listen: ListenAddress = "127.0.0.1:8090",
    reviewer: ReviewerName = "",
    order: FirstOrder = Order.RANDOM,
    seed: DrawSeed = 0,
    double: DoubleShare = 0.0,
    images: MovedImages = None,
    token: PageToken = None,
    taken: ImportedFile = None,
    only: OnlyFile = None,
    report: ShowsReport = False,
    as_json: AsJson = False,
) -> None:
    """Judge pairs on a page, by keyboard or on a phone.

    Accept, correct, reject, skip; also while a run works, and several people at once.
    """
    import asyncio

    from curator.commands.judging.after import tell_what_comes_next
    from curator.ledger import require_ledger
    from curator.ledger.reviews.candidates import Draw
    from curator.review.desk import Desk
    from curator.review.sitting import Sitting
    from shared.images.stores import local_data, local_folder
    from shared.program.clock import SystemClock

    if taken is not None:
        # It takes pydantic, which nothing else here does.
        from curator.commands.judging.exchange import take_tasks

        require_ledger(ledger)
        take_tasks(ledger, taken)
        return
    if report or as_json:
        _tell(ledger, as_json=as_json)
        return
    folder = local_folder(images)
    address = _address(ledger, listen, folder, token)
    named = None
    if only is not None:
        # With it comes Arrow, which nothing else here needs.
        from curator.review.named import named_pairs

        named = named_pairs(local_data(only), ledger)
    desk = Desk(ledger)
    if order is Order.TYPE and (line := _untyped(ledger)):
        print(line, file=sys.stderr)
    sitting = Sitting(desk, SystemClock(), Draw(order, seed, double, only=named))
    asyncio.run(_serve(desk, address, folder, sitting, reviewer))
    tell_what_comes_next(ledger)


def _tell(ledger: Path, *, as_json: bool) -> None:
    from rich.console import Console

    from curator.ledger import migrate_unless_busy, require_ledger
    from curator.review.gathering import review_reports, reviews_object
    from curator.review.report_view import report_view

    require_ledger(ledger)
    migrate_unless_busy(ledger)
    reports = review_reports(ledger)
    if as_json:
        json.dump({"reviews": reviews_object(reports)}, sys.stdout, indent=2)
        print()
        return
    if line := _untyped(ledger):
        print(line, file=sys.stderr)
    for campaign_id, each in reports.items():
        Console().print(report_view(campaign_id, each))


def _address(ledger: Path, listen: str, images: Path | None, token: str | None) -> Address:
    import asyncio

    from curator.ledger import migrate_unless_busy, require_ledger
    from shared.web.access import address_in
    from shared.web.listening import require_free_address

    address = address_in(listen, token, option="--listen", variable=TOKEN_VARIABLE)
    require_ledger(ledger)
    asyncio.run(require_free_address(address, "--listen"))
    if images is not None and not images.is_dir():
        raise InputError(f"{images}: no such images folder; give another --images")
    migrate_unless_busy(ledger)
    return address


async def _serve(
    desk: Desk,
    address: Address,
    images: Path | None,
    sitting: Sitting | None = None,
    reviewer: str = "",
) -> None:
    # aiohttp's server takes a tenth of a second to import, and `--help` has a third.
    from curator.review.page.site import Looked, served
    from shared.program.async_stopping import ENDED_AT_ONCE, AsyncStopSignal, stop_on_signals

    stop = AsyncStopSignal()
    folders = [images] if images else _folders(desk.path)
    with stop_on_signals(stop, "curator", ENDED_AT_ONCE):
        async with served(address, Looked(desk, folders, sitting, reviewer)) as where:
            print(f"{desk.path}: look at {where.url} (Ctrl-C ends this)", flush=True)
            await stop.until_requested()


def _untyped(ledger: Path) -> str:
    from curator.ledger.database.plain import reading
    from curator.ledger.reviews.browsing import prompts_asked
    from curator.review.untyped import untyped_line

    with reading(ledger) as connection:
        return untyped_line(prompts_asked(connection))


def _folders(ledger: Path) -> list[Path]:
    from curator.ledger.database.plain import reading
    from curator.ledger.reviews.browsing import images_dirs

    with reading(ledger) as connection:
        return [Path(folder) for folder in images_dirs(connection)]
