"""``curator repair``: what can be saved of a damaged ledger, in a new one."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.commands.options import AsJson, LedgerFile
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next

if TYPE_CHECKING:
    from curator.ledger.repair.repair import Repaired

NewLedger = Annotated[
    Path,
    typer.Option(
        "--out", "--to", metavar="NEW", help="The new ledger to write, beside the old one."
    ),
]


def repair(ledger: LedgerFile, out: NewLedger, as_json: AsJson = False) -> None:
    """Save what can be read of a damaged ledger.

    From its file and from the log beside it; both stay as they are.
    """
    import asyncio

    from curator.ledger.database.opening import at_rest
    from curator.ledger.repair.repair import repair as repaired
    from curator.ledger.repair.repair import require_whole
    from shared.files.atomic import atomic_path

    if out.exists():
        raise InputError(f"{out}: is there already; give another --out")
    with at_rest(ledger), atomic_path(out.resolve()) as part:
        told = repaired(ledger, part)
        unread = asyncio.run(_judge(part, told.unjudged))
        require_whole(part)
    _print(told, unread, out, as_json=as_json)
    if not as_json:
        tell_next("curator", "status", "--ledger", out)


async def _judge(part: Path, unjudged: Mapping[int, frozenset[int]]) -> list[str]:
    """Judge replies whose pairs are not all there; return why some cannot be."""
    from curator.judging.agreeing.listing_map import read_map
    from curator.ledger import Ledger
    from curator.pairs.reparse import Rules, prompts_of, reparse
    from shared.program.clock import SystemClock
    from shared.program.reporting.progress import report_progress

    unread = []
    async with Ledger.opened(part) as ledger:
        campaigns = await ledger.campaigns()
        for campaign_id, items in unjudged.items():
            try:
                rules = Rules(prompts_of(campaigns[campaign_id], None), read_map(None))
            except (InputError, KeyError) as error:
                unread.append(f"campaign {campaign_id}: replies are not judged again ({error})")
                continue
            now = SystemClock().now()
            with report_progress("judging replies", None) as progress:
                await reparse(ledger, campaign_id, rules, now, progress, only=items)
    return unread


def _print(told: Repaired, unread: list[str], to: Path, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    if as_json:
        tables = {
            each.table: {k: v for k, v in dataclasses.asdict(each).items() if k != "table"}
            for each in told.tables
        }
        json.dump({"tables": tables, "stray_pages": told.stray_pages}, sys.stdout, indent=2)
        print()
        return
    table = Table("table", box=None)
    for column in ("from the file", "from the log", "about lost images", "lost"):
        table.add_column(column, justify="right")
    for each in told.tables:
        lost = "not known" if each.lost is None else f"{each.lost:,}"
        counts = each.from_file, each.from_log, each.dropped
        table.add_row(each.table, *(f"{count:,}" for count in counts), lost)
    Console().print(table)
    if told.stray_pages:
        print(f"{told.stray_pages} pages have rows of which nobody can tell what they are")
    for line in unread:
        print(line)
    print(f"{to} is whole; go on with --ledger {to}, and keep the old one until that is done")
