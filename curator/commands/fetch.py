"""``curator fetch``: the pictures that a catalogue names by URL, brought to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.commands.options import ColumnsOfTable
from curator.fetching.failures import FailuresFile
from curator.fetching.guard import Guard, parse_networks
from curator.fetching.limits import FetchLimits, parse_hosts
from shared.errors import AboVqaError, InputError, StoppedForNow
from shared.program.command_line.next_step import tell_next

if TYPE_CHECKING:
    from curator.fetching.fetch import FetchCounts
    from curator.fetching.pictures import FetchedPictures
    from shared.program.async_stopping import AsyncStopSignal
    from shared.program.reporting.progress import ProgressReport

CatalogFile = Annotated[
    str,
    typer.Option(
        "--catalog",
        help="Table or feed that names pictures by URL; a path, or hf://datasets/OWNER/NAME/FILE.",
    ),
]
PicturesFolder = Annotated[
    Path,
    typer.Option(
        "--out", "--to", metavar="DIR", help="Folder to bring them to, for `--images DIR`."
    ),
]
AllowedHosts = Annotated[
    str | None,
    typer.Option(
        "--hosts",
        metavar="HOST,...",
        help="Hosts that alone may be asked, such as cdn.example.com,*.shop.example.",
    ),
]
LargestMib = Annotated[float, typer.Option("--largest", min=0.001, help="MiB of a picture.")]
MostPictures = Annotated[
    int | None, typer.Option("--limit", min=1, help="Most pictures to fetch this time.")
]
AtOnce = Annotated[int, typer.Option("--concurrency", min=1, max=256, help="Requests at once.")]
AtOnceAHost = Annotated[
    int, typer.Option("--per-host", min=1, max=64, help="Requests at once to one host.")
]
TimeoutSeconds = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Longest wait for a picture, in seconds.")
]
AllowPrivate = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-private",
        metavar="NETWORK",
        help="Network that may be asked though it is not public, such as 10.20.0.0/16.",
    ),
]


class PicturesNotFetched(AboVqaError):
    """Some pictures could not be had; a file tells which and why."""


def fetch(
    *,
    catalog: CatalogFile,
    out: PicturesFolder,
    columns: ColumnsOfTable = None,
    hosts: AllowedHosts = None,
    largest: LargestMib = 20.0,
    limit: MostPictures = None,
    concurrency: AtOnce = 16,
    per_host: AtOnceAHost = 4,
    timeout_s: TimeoutSeconds = 30.0,
    allow_private: AllowPrivate = None,
) -> None:
    """Bring the pictures that a catalogue names by URL.

    The same command goes on where it stopped.
    """
    import asyncio

    from curator.catalog import catalog_columns, local_catalogue, picture_urls
    from curator.catalog.finding.fetched_names import fetched_name
    from curator.fetching.pictures import FetchedPictures
    from shared.program.clock import stopwatch
    from shared.program.reporting.progress import report_progress

    limits = FetchLimits(
        round(largest * 2**20),
        timeout_s,
        concurrency,
        per_host,
        parse_hosts(hosts),
        Guard(parse_networks(allow_private or ())),
    )
    started = stopwatch()
    table, _ = local_catalogue(catalog, None, with_pictures=False)
    _make(out)
    # By the file that each becomes: what differs in scheme or fragment alone is one picture.
    urls = {
        fetched_name(url) or url: url for url in picture_urls(table, out, catalog_columns(columns))
    }
    if not urls:
        raise InputError(f"{catalog}: names no picture by URL, so that there is none to fetch")
    pictures = FetchedPictures(out)
    lacking = [url for url in urls.values() if not pictures.has(url)]
    failures = FailuresFile(out)
    # Those that failed before come last, or a limit would leave others out for good.
    wanted = sorted(lacking, key=failures.before.__contains__)[:limit]
    with failures, report_progress("fetching pictures", len(wanted)) as progress:
        counts, stop = asyncio.run(_fetch(wanted, pictures, limits, failures, progress))
    left = len(lacking) - counts.fetched - counts.failed
    print(
        f"fetched {counts.fetched:,}, there before {len(urls) - len(lacking):,}, "
        f"failed {counts.failed:,}, left {left:,}; {stopwatch() - started:.1f} s"
    )
    _end(counts, failures, stop)
    of_table = [] if columns is None else ["--columns", columns]
    tell_next("curator", "plan", "--catalog", catalog, "--images", out, *of_table)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder}: cannot be made ({error.strerror})") from error


async def _fetch(
    urls: list[str],
    pictures: FetchedPictures,
    limits: FetchLimits,
    failures: FailuresFile,
    progress: ProgressReport,
) -> tuple[FetchCounts, AsyncStopSignal]:
    from curator.fetching.fetch import fetch_pictures
    from shared.program.async_stopping import AsyncStopSignal, stop_on_signals
    from shared.program.clock import SystemClock

    stop = AsyncStopSignal()
    with stop_on_signals(stop, "curator"):
        counts = await fetch_pictures(
            urls,
            pictures,
            limits,
            failures,
            stop=stop,
            clock=SystemClock(),
            advance=progress.advance,
        )
    return counts, stop


def _end(counts: FetchCounts, failures: FailuresFile, stop: AsyncStopSignal) -> None:
    for reason, count in failures.reasons.most_common(5):
        print(f"  {count:,} {reason}")
    if stop.requested:
        raise StoppedForNow(f"stopped ({stop.reason}); the same command goes on")
    if counts.put_off:
        raise StoppedForNow(
            f"a host asks to be left alone for over ten minutes before it gives "
            f"{counts.put_off:,} more; the same command goes on"
        )
    if counts.failed:
        raise PicturesNotFetched(
            f"{counts.failed:,} pictures could not be fetched: {failures.path} tells which and "
            "why; the same command tries them again"
        )
