"""Writes what a campaign brought: a file of pairs, or a data set folder with splits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from curator.ledger import CampaignReport, Ledger
from curator.models.known import ModelCatalogue
from curator.status.canaries import canaries_object
from curator.status.spending import spending_object
from curator.status.status import models_object, named_models
from curator.status.words import listed
from shared.errors import InputError
from shared.program.reporting.progress import ProgressReport, report_progress
from shared.records import QAPair, Split

PAGE: Final = 1_000
"""Items read from the ledger at a time."""
FILE_SUFFIXES: Final = frozenset({".csv", ".jsonl", ".parquet"})
SPLIT_SEED: Final = 0


def choose_campaign(
    candidates: Sequence[CampaignReport], wanted: int | None, ledger: Path
) -> CampaignReport:
    """Return the campaign with the id ``wanted``, or the only one there is.

    Raises:
        InputError: no such campaign, none at all, or several to choose from.
    """
    if not candidates:
        raise InputError(f"{ledger}: holds no pairs yet; let `curator run` work first")
    if wanted is not None:
        chosen = next((report for report in candidates if report.campaign_id == wanted), None)
        if chosen is None:
            raise InputError(f"{ledger}: no campaign {wanted} to work on; see `curator status`")
        return chosen
    if len(candidates) > 1:
        names = "; ".join(map(_named, candidates))
        raise InputError(f"{ledger}: several campaigns; give --campaign ID of: {names}")
    return candidates[0]


def _named(report: CampaignReport) -> str:
    campaign = report.campaign
    return (
        f"{report.campaign_id} (prompt {campaign.prompt_version}, {campaign.questions} questions, "
        f"{report.pairs:,} pairs)"
    )


def require_models(report: CampaignReport, models: Sequence[str]) -> None:
    """Check that each of ``models`` was asked for pairs of a campaign, or made some.

    Raises:
        InputError: one has no pairs; those that have are named.
    """
    for model in models:
        if not _names_of(report, [model]) & report.pairs_by_model.keys():
            raise InputError(
                f"--model {model}: campaign {report.campaign_id} has no pairs of it; "
                f"there are {listed(named_models(report))}"
            )


def _names_of(report: CampaignReport, models: Sequence[str]) -> set[str]:
    """Return the models, and by which names replies say who answered in their place."""
    answered = (each.answered_by for each in report.replies_by_model if each.asked in models)
    return {*models, *answered}


async def left_out(
    ledger: Ledger,
    report: CampaignReport,
    others: Iterable[CampaignReport],
    models: Sequence[str] = (),
) -> list[str]:
    """Return a line for each kind of thing that an export of ``report``'s campaign leaves out.

    Where ``models`` are given, those of others are.
    """
    names = _names_of(report, models) if models else report.pairs_by_model.keys()
    unwanted = {name: n for name, n in named_models(report).items() if name not in names}
    progress = report.progress
    answered_twice = await ledger.pages.answered_twice(report.campaign_id)
    counts = {
        "{} images given up; `curator status` says why, `curator run --retry-dead` asks again": (
            progress.dead
        ),
        "{} images that wait; `curator run` goes on with them": progress.pending,
        f"{{}} pairs that broke a rule ({listed(report.rejected)})": sum(report.rejected.values()),
        f"{{}} pairs of other models ({listed(unwanted)})": sum(unwanted.values()),
        "further replies about {} images; each has the pairs of one reply, the ledger keeps all": (
            answered_twice
        ),
    }
    lines = [line.format(f"{count:,}") for line, count in counts.items() if count]
    apart = (other for other in others if other.campaign_id != report.campaign_id)
    return lines + [f"campaign {_named(other)}; --campaign takes another" for other in apart]


async def export_file(
    ledger: Ledger, report: CampaignReport, path: Path, models: Sequence[str] = ()
) -> int:
    """Write the pairs of a campaign, or those of ``models``, to ``path`` by its suffix.

    Return how many. Pairs are streamed: memory does not grow with their number.
    """
    # Imported here, for pyarrow takes half the memory of a run, which needs none of it.
    from shared.corpus import CSV_PAIR_COLUMNS, write_pairs  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    products = await ledger.products()
    columns = (*CSV_PAIR_COLUMNS, "product") if products else CSV_PAIR_COLUMNS
    pairs = _pairs(ledger, report, products, loop, models=models)
    return await asyncio.to_thread(write_pairs, pairs, path, csv_columns=columns)


async def export_folder(
    ledger: Ledger,
    report: CampaignReport,
    folder: Path,
    images_dir: Path,
    *,
    known_models: ModelCatalogue,
    models: Sequence[str] = (),
    embeds: bool,
) -> int:
    """Write a data set folder, split by product with near-identical images together.

    Pairs are streamed; only the images' names, looks and products are held. ``embeds`` puts the
    images into it; ``models`` are those whose pairs it is to hold, if not all; ``known_models`` has
    the prices of what the manifest says was spent.
    """
    loop = asyncio.get_running_loop()
    products = await ledger.products()
    return await asyncio.to_thread(
        _write_folder,
        lambda: _pairs(ledger, report, products, loop, models=models),
        report,
        folder,
        images_dir,
        known_models=known_models,
        models=models,
        embeds=embeds,
    )


def _write_folder(
    pairs: Callable[[], Iterator[QAPair]],
    report: CampaignReport,
    folder: Path,
    images_dir: Path,
    known_models: ModelCatalogue,
    *,
    models: Sequence[str],
    embeds: bool,
) -> int:
    from shared.dataset.folder import write_dataset  # noqa: PLC0415
    from shared.dataset.splits import RULE, split_units  # noqa: PLC0415
    from shared.dataset.units import units_of  # noqa: PLC0415
    from shared.images.fingerprints import looks_in  # noqa: PLC0415

    if not images_dir.is_dir():
        raise InputError(f"{images_dir}: no such images folder; give --images DIR")
    names = list(dict.fromkeys(pair.filename for pair in pairs()))
    units = units_of(pairs(), looks_in(images_dir, names))
    splits = split_units(units, seed=SPLIT_SEED)
    with report_progress("writing pairs", report.pairs) as progress:
        return write_dataset(
            _placed(pairs(), units, splits, progress),
            folder,
            source={
                "program": "curator",
                "prompt_version": report.campaign.prompt_version,
                "questions": report.campaign.questions,
                **({"models": list(models)} if models else {}),
                "rejected_by_rule": dict(report.rejected),
                "replies_by_model": models_object(report),
                "replies_of_other_models": report.replies_of_others,
                "canaries": canaries_object(report),
                "spending": spending_object(report, known_models),
                "items_done": report.progress.done,
                "items_given_up": report.progress.dead,
            },
            split_rule={**RULE, "seed": SPLIT_SEED, "unit": "product, look-alikes together"},
            embed_from=images_dir if embeds else None,
        )


def _placed(
    pairs: Iterator[QAPair],
    units: Mapping[str, str],
    splits: Mapping[str, Split],
    progress: ProgressReport,
) -> Iterator[QAPair]:
    for pair in pairs:
        # A run beside the export may have added images since their splits were drawn.
        if pair.filename in splits:
            unit, split = units[pair.filename], splits[pair.filename]
            yield replace(pair, unit_id=unit, split=split)
        progress.advance()


def _pairs(
    ledger: Ledger,
    report: CampaignReport,
    products: Mapping[str, str],
    loop: asyncio.AbstractEventLoop,
    *,
    models: Sequence[str],
) -> Iterator[QAPair]:
    """Yield the pairs with their products, from a thread beside ``loop``, which reads."""
    after = 0
    while True:
        page = ledger.pages.pairs_after(
            report.campaign_id, report.campaign, after, PAGE, models=models
        )
        pairs, last = asyncio.run_coroutine_threadsafe(page, loop).result()
        if not pairs:
            return
        for pair in pairs:
            yield replace(pair, product=products.get(pair.provenance.listing_id, ""))
        after = last
