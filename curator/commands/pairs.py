"""``curator export`` and ``curator reparse``: what was gathered, written out or judged again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from curator.commands.options import (
    CampaignId,
    CampaignIds,
    LedgerFile,
    ListingMapFile,
    ModelsPath,
    PushBesideOthers,
    PushDryRun,
    PushPrivately,
    PushTo,
)
from curator.pairs.balance import Balance
from curator.review.exchange.pages import Page
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next

if TYPE_CHECKING:
    from curator.judging.agreeing.listing_map import ListingMap
    from curator.pairs.reparse import Rejudged
    from curator.pairs.reviewed import Choice
    from shared.endpoints.models.known import ModelCatalogue
    from shared.hub.push import Order

_PUSHED: Final = "Push data with abo-vqa"
OutPath = Annotated[
    Path, typer.Option(help="File to write (.csv, .jsonl or .parquet), or a folder.")
]
MovedImages = Annotated[str | None, typer.Option(help="Images folder, if it moved since the run.")]
PairsOf = Annotated[
    list[str] | None,
    typer.Option(
        "--model", metavar="NAME", help="Model whose pairs to write, if not all; may be repeated."
    ),
]
EmbedImages = Annotated[
    bool, typer.Option("--embed-images", help="Put the images into the folder's split files.")
]
LicenseName = Annotated[
    str,
    typer.Option("--license", metavar="NAME", help="Licence for a folder's card: cc-by-4.0, ..."),
]
OnlyReviewed = Annotated[
    bool, typer.Option("--reviewed", help="Write only what people accepted or corrected.")
]
LeastAgreement = Annotated[
    float | None,
    typer.Option(
        "--min-agreement",
        min=0.0,
        max=1.0,
        metavar="FRACTION",
        help="Least share of listing and second opinion that agree, where either says a word.",
    ),
]
BalancedBy = Annotated[
    Balance | None,
    typer.Option(help="Cut frequent question types, or answers of a type, to equal numbers."),
]
KeepsRejected = Annotated[
    bool,
    typer.Option(
        "--keep-rejected",
        help="Keep what people rejected for evaluation: marked, and not in the training split.",
    ),
]
ForPage = Annotated[
    Page | None, typer.Option(help="Page on which pairs are to be judged: writes its tasks.")
]
TasksWanted = Annotated[int, typer.Option(min=1, help="With --to: how many pairs, at random.")]
TaskSeed = Annotated[
    int, typer.Option(min=0, max=2**31 - 2, help="With --to: seed of the random order.")
]
PicturesAt = Annotated[
    str,
    typer.Option(metavar="URL", help="With --to: where pictures are served, if not to go along."),
]
JudgedWords = Annotated[
    int | None,
    typer.Option(min=1, max=20, help="Longest answer, in words, if not the campaign's own."),
]


def export(
    *,
    ledger: LedgerFile,
    out: OutPath,
    campaign: CampaignIds = None,
    model: PairsOf = None,
    images: MovedImages = None,
    embed_images: EmbedImages = False,
    license_name: LicenseName = "",
    reviewed: OnlyReviewed = False,
    min_agreement: LeastAgreement = None,
    balance: BalancedBy = None,
    keep_rejected: KeepsRejected = False,
    to: ForPage = None,
    sample: TasksWanted = 200,
    seed: TaskSeed = 0,
    images_at: PicturesAt = "",
    models: ModelsPath = None,
    push: PushTo = "",
    private: PushPrivately = False,
    dry_run: PushDryRun = False,
    yes: PushBesideOthers = False,
) -> None:
    """Write the pairs to a file, or a data set folder.

    The suffix of --out says which kind of file; a folder is split by product.
    """
    import asyncio

    from curator.campaign.beginning.as_given import catalogue_of
    from curator.ledger import require_ledger
    from curator.pairs.reviewed import Choice
    from shared.hub.push import Order
    from shared.images.stores import local_folder

    require_ledger(ledger)
    order = Order(private=private, dry_run=dry_run, agreed=yes)
    require_pushable(push, order, out)
    choice = Choice(reviewed, min_agreement, balance, keep_rejected)
    if to is not None:
        if choice != Choice() or model or embed_images:
            raise InputError("--to takes pairs at random; leave out the options that choose some")
        if push:
            raise InputError("--to is for another page, and --push for a hub; give one of them")
        # It takes pydantic, which an export of pairs does without.
        from curator.commands.judging.exchange import send_tasks

        send_tasks(
            ledger,
            out,
            to,
            campaigns=campaign or (),
            count=sample,
            seed=seed,
            images=local_folder(images),
            images_at=images_at,
        )
        return
    _require_place(out, embeds=embed_images, has_license=bool(license_name))
    count, missing = asyncio.run(
        _export(
            ledger,
            out,
            campaign or (),
            local_folder(images),
            models=model or (),
            choice=choice,
            known_models=catalogue_of(models),
            embeds=embed_images,
            license_name=" ".join(license_name.split()),
        )
    )
    print(f"{count} pairs in {out}")
    for line in missing:
        print(f"left out: {line}")
    if push:
        push_folder(out, push, order)
    tell_next(*_after(out, images))


def require_pushable(name: str, order: Order, out: Path) -> None:
    """Check what can be known of a push before anything is written.

    Raises:
        InputError: the name is none, nobody says who pushes, there is nothing to push, or the
            options go with --push alone.
    """
    from curator.pairs.export import FILE_SUFFIXES
    from shared.hub.push import Order, require_ready

    if not name:
        if order != Order():
            raise InputError(
                "--private, --dry-run, --yes: go with --push OWNER/NAME; give that too"
            )
        return
    if out.suffix.lower() in FILE_SUFFIXES:
        raise InputError(f"{out}: --push is for a folder; give --out without a suffix")
    require_ready(name, order)


def push_folder(folder: Path, name: str, order: Order) -> None:
    """Send a data set folder to a hub, and print what goes and what stays.

    Raises:
        InputError: name, account or files will not do; nothing was sent.
        StoppedForNow: the hub does not answer, or is busy; the same command goes on.
    """
    # Arrow, for which the other commands need not wait.
    from shared.dataset.parcel import dataset_parcel
    from shared.hub.push import push as push_parcel

    parcel = dataset_parcel(folder, name)
    push_parcel(parcel, name, order, folder=folder, message=_PUSHED, tell=print)


def _after(out: Path, images: str | None) -> list[str]:
    """Return the command that goes on with what was written."""
    from curator.pairs.export import FILE_SUFFIXES

    pictures = [] if images is None else ["--images", images]
    if out.suffix.lower() in FILE_SUFFIXES:
        return ["curator", "dataset", "--data", str(out), *pictures, "--out", "dataset"]
    return ["evaluator", "check", "--data", str(out), *pictures]


def _require_place(out: Path, *, embeds: bool, has_license: bool) -> None:
    """Check that what is wanted can be written to ``out``.

    Raises:
        InputError: it has another suffix, is a folder, or a file has no room for it.
    """
    from curator.pairs.export import FILE_SUFFIXES

    is_file = out.suffix.lower() in FILE_SUFFIXES
    if out.suffix and not is_file and not out.is_dir():
        raise InputError(f"{out}: use .csv, .jsonl or .parquet, or a folder without a suffix")
    if is_file and out.is_dir():
        raise InputError(f"{out}: is a folder; give the name of a file, or of another folder")
    if embeds and out.suffix:
        raise InputError(f"{out}: --embed-images is for a folder; give --out without a suffix")
    if has_license and out.suffix:
        raise InputError(f"{out}: --license is for a folder's card; give --out without a suffix")


async def _export(
    path: Path,
    out: Path,
    campaigns: Sequence[int],
    images: Path | None,
    *,
    models: Sequence[str],
    choice: Choice,
    known_models: ModelCatalogue,
    embeds: bool,
    license_name: str,
) -> tuple[int, list[str]]:
    from curator.ledger import Ledger, migrate_unless_busy
    from curator.ledger.database.plain import reading
    from curator.ledger.reviews.gathered import judged_pairs
    from curator.pairs.chosen import chosen_campaigns
    from curator.pairs.export import (
        FILE_SUFFIXES,
        export_file,
        export_folder,
        left_out,
        require_models,
    )
    from curator.pairs.reviewed import ReviewedPairs
    from curator.review.untyped import untyped_line
    from shared.program.clock import SystemClock

    migrate_unless_busy(path)
    async with Ledger.opened(path) as ledger:
        everything = await ledger.reports(SystemClock().now())
        reports = [report for report in everything if report.pairs]
        chosen = chosen_campaigns(reports, campaigns, path)
        require_models(chosen, models)
        with reading(path) as connection:
            missing = left_out(connection, chosen, reports, models)
            ids = [report.campaign_id for report in chosen]
            judged = [pair for each in ids for pair in judged_pairs(connection, each)]
        reviewed = ReviewedPairs(judged, choice)
        asked = [prompt for report in chosen for prompt in report.campaign.prompts]
        if choice.balance and (line := untyped_line(asked)):
            print(line, file=sys.stderr)
        if out.suffix.lower() in FILE_SUFFIXES:
            count = await export_file(path, chosen, out, models, reviewed=reviewed)
            return count, missing + reviewed.lines()
        folders = [Path(folder) for folder in await ledger.images_dirs()]
        folder = images or folders[0]
        count = await export_folder(
            path,
            chosen,
            out,
            folder,
            known_models=known_models,
            models=models,
            reviewed=reviewed,
            embeds=embeds,
            license_name=license_name,
        )
        return count, missing + reviewed.lines()


def reparse(
    ledger: LedgerFile,
    campaign: CampaignId = None,
    answer_words: JudgedWords = None,
    agreement: ListingMapFile = None,
) -> None:
    """Judge the kept replies again, by today's rules.

    The parser and the rules are those of this release; no request is sent.
    """
    import asyncio

    from curator.judging.agreeing.listing_map import read_map
    from curator.ledger import require_ledger

    require_ledger(ledger)
    changed = asyncio.run(_reparse(ledger, campaign, answer_words, read_map(agreement)))
    print(
        f"{changed.items} images judged again, {changed.pairs} pairs; "
        f"{changed.gained} images gained, {changed.lost} given up"
    )
    if changed.pairs:
        tell_next("curator", "export", "--ledger", ledger, "--out", "dataset")
    else:
        tell_next("curator", "status", "--ledger", ledger)


async def _reparse(
    path: Path, wanted: int | None, answer_words: int | None, listing_map: ListingMap | None
) -> Rejudged:
    from curator.ledger import Ledger, sole_writer
    from curator.pairs.chosen import chosen_campaigns
    from curator.pairs.reparse import Rules, prompts_of
    from curator.pairs.reparse import reparse as judge_replies
    from shared.program.clock import SystemClock
    from shared.program.reporting.progress import report_progress

    now = SystemClock().now()
    with sole_writer(path) as held:
        held.migrate()
        async with Ledger.opened(path) as ledger:
            asked = [report for report in await ledger.reports(now) if report.outcomes]
            wants = [] if wanted is None else [wanted]
            (report,) = chosen_campaigns(asked, wants, path)
            prompts = prompts_of(report.campaign, answer_words)
            with report_progress("judging replies", None) as progress:
                return await judge_replies(
                    ledger,
                    report.campaign_id,
                    Rules(prompts, listing_map),
                    now,
                    progress,
                )
