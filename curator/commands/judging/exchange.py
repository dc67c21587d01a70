"""``curator export --to`` and ``curator review --import``: pairs judged on other people's pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curator.commands.judging.after import tell_what_comes_next
from curator.ledger import migrate_unless_busy
from curator.ledger.database.plain import changing, reading
from curator.ledger.reviews.browsing import facets, images_dirs
from curator.review.exchange.importing import read_returned, write_returned
from curator.review.exchange.pages import Page
from curator.review.exchange.tasks import tasks_to_judge
from curator.review.exchange.writing import write_tasks
from shared.errors import InputError
from shared.program.clock import SystemClock
from shared.program.command_line.next_step import tell_next


def send_tasks(
    ledger: Path,
    out: Path,
    page: Page,
    *,
    campaigns: Sequence[int],
    count: int,
    seed: int,
    images: Path | None,
    images_at: str,
) -> None:
    """Write pairs that nobody judged, at random, for ``page``.

    Raises:
        InputError: several campaigns to choose from, nothing to judge, or no such place.
    """
    migrate_unless_busy(ledger)
    with reading(ledger) as connection:
        known = [each.campaign_id for each in facets(connection) if each.pairs]
        wanted = [each for each in known if not campaigns or each in campaigns]
        if len(wanted) != 1:
            ids = ", ".join(map(str, known)) or "none"
            raise InputError(f"{ledger}: give one --campaign of those that have pairs: {ids}")
        folders = [images] if images else [Path(each) for each in images_dirs(connection)]
        tasks = tasks_to_judge(
            connection, wanted[0], count, seed, folders=folders, picture_prefix=images_at
        )
    if not tasks:
        raise InputError(f"{ledger}: every pair of campaign {wanted[0]} is judged already")
    write_tasks(tasks, page, out)
    without = sum(not task.picture for task in tasks)
    print(f"{len(tasks):,} pairs to judge in {out}")
    if without:
        print(f"without a picture: {without:,} of them; give --images or --images-at")
    tell_next("curator", "review", "--ledger", ledger, "--import", "FILE")


def take_tasks(ledger: Path, path: Path) -> None:
    """Take in what came back.

    Raises:
        InputError: it is nothing that came back.
        LedgerBusy: another process writes the ledger.
    """
    migrate_unless_busy(ledger)
    returned = read_returned(path)
    with changing(ledger) as connection:
        told = write_returned(connection, returned, SystemClock().now())
    print(f"{told.verdicts:,} verdicts taken from {path}; {told.unanswered:,} pairs unanswered")
    if told.without_pair:
        print(
            f"{told.without_pair:,} of them are about questions and answers that the ledger does "
            "not have: they count once it has them; edit no task elsewhere"
        )
    for why, count in told.left_out.items():
        print(f"left out: {count:,} {why}")
    tell_what_comes_next(ledger)
