"""Writes what campaigns brought: a file of pairs, or a data set folder with splits."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from curator.ledger import CampaignReport
from curator.ledger.database.plain import reading
from curator.ledger.queries.pairs import pages_of_pairs
from curator.ledger.reports.campaigns import answered_twice
from curator.ledger.reports.products import products
from curator.pairs.chosen import columns_of, described, versions_of
from curator.pairs.in_thread import in_thread
from curator.pairs.reviewed import ReviewedPairs
from curator.status.canaries import canaries_object
from curator.status.spending import spending_object
from curator.status.status import models_object, named_models
from curator.status.words import listed
from shared.endpoints.models.known import ModelCatalogue
from shared.errors import InputError
from shared.program.reporting.progress import ProgressReport, report_progress
from shared.records import Split
from shared.records.pair_rows import OWN_COLUMNS, PairColumns, PairRow, pair_of, rows_of

FILE_SUFFIXES: Final = frozenset({".csv", ".jsonl", ".parquet"})
SPLIT_SEED: Final = 0


def require_models(reports: Sequence[CampaignReport], models: Sequence[str]) -> None:
    """Check that each of ``models`` was asked for pairs of one of the campaigns, or made some.

    Raises:
        InputError: one has no pairs; those that have are named.
    """
    for model in models:
        if not any(_names_of(one, [model]) & one.pairs_by_model.keys() for one in reports):
            ids = " and ".join(str(report.campaign_id) for report in reports)
            named = sum((Counter(named_models(report)) for report in reports), Counter[str]())
            raise InputError(
                f"--model {model}: campaign {ids} has no pairs of it; there are {listed(named)}"
            )


def _names_of(report: CampaignReport, models: Sequence[str]) -> set[str]:
    """Return the models, and by which names replies say who answered in their place."""
    answered = (each.answered_by for each in report.replies_by_model if each.asked in models)
    return {*models, *answered}


def left_out(
    connection: sqlite3.Connection,
    chosen: Sequence[CampaignReport],
    everything: Sequence[CampaignReport],
    models: Sequence[str] = (),
) -> list[str]:
    """Return a line for each kind of thing that an export of the ``chosen`` campaigns leaves out.

    Where ``models`` are given, those of others are.
    """
    lines = []
    for report in chosen:
        of = f" (campaign {report.campaign_id})" if len(chosen) > 1 else ""
        lines += [f"{line}{of}" for line in _left_out_of(connection, report, models)]
    ids = {report.campaign_id for report in chosen}
    apart = [
        words for campaign_id, words in described(everything).items() if campaign_id not in ids
    ]
    return lines + [f"campaign {words}; --campaign takes it too" for words in apart]


def _left_out_of(
    connection: sqlite3.Connection, report: CampaignReport, models: Sequence[str]
) -> list[str]:
    names = _names_of(report, models) if models else report.pairs_by_model.keys()
    unwanted = {name: n for name, n in named_models(report).items() if name not in names}
    progress = report.progress
    counts = {
        "{images} given up; `curator status` says why, `curator run --retry-dead` asks again": (
            progress.dead
        ),
        f"{{images}} left out as asked of pictures ({listed(report.unfit)})": sum(
            report.unfit.values()
        ),
        "{images} waiting; `curator run` goes on with them": progress.pending,
        "{images} like another one, which was asked about instead": report.alike,
        f"{{pairs}} that broke a rule ({listed(report.rejected)})": sum(report.rejected.values()),
        f"{{pairs}} of other models ({listed(unwanted)})": sum(unwanted.values()),
        "further replies about {images}; each has the pairs of one reply, the ledger keeps all": (
            answered_twice(connection, report.campaign_id)
        ),
    }
    return [_counted(line, count) for line, count in counts.items() if count]


def _counted(line: str, count: int) -> str:
    """Return a line with its number of images, or of pairs."""
    number = f"{count:,}"
    ending = "s" * (count != 1)
    return line.format(images=f"{number} image{ending}", pairs=f"{number} pair{ending}")


async def export_file(
    ledger: Path,
    reports: Sequence[CampaignReport],
    path: Path,
    models: Sequence[str] = (),
    *,
    reviewed: ReviewedPairs,
) -> int:
    """Write the pairs of campaigns, or those of ``models``, to ``path`` by its suffix.

    Return how many. Pairs are streamed: memory does not grow with their number.
    """
    # Imported here, for pyarrow takes half the memory of a run, which needs none of it.
    from shared.corpus import (  # noqa: PLC0415
        CSV_PAIR_COLUMNS,
        write_pair_columns,
        write_pair_rows,
    )

    extra = columns_of(reports)
    judged = ("label_review", "label_before_review", "label_sample") if reviewed.judged else ()

    def write(go_on: Callable[[], None]) -> int:
        kept = _KeptPairs(ledger, reports, models)
        product = ("product",) if kept.products.are_told else ()
        columns = (*CSV_PAIR_COLUMNS, *product, *judged)
        if not reviewed.is_told:
            of_file = columns if path.suffix.lower() == ".csv" else OWN_COLUMNS
            pages = kept.pages(go_on, {*of_file, *(["extra"] if extra else [])})
            return write_pair_columns(pages, path, csv_columns=columns, extra=extra)
        rows = reviewed.chosen(lambda: kept.rows(go_on))
        return write_pair_rows(rows, path, csv_columns=columns, extra=extra)

    return await in_thread(write)


async def export_folder(
    ledger: Path,
    reports: Sequence[CampaignReport],
    folder: Path,
    images_dir: Path,
    *,
    known_models: ModelCatalogue,
    models: Sequence[str] = (),
    reviewed: ReviewedPairs,
    embeds: bool,
    license_name: str = "",
) -> int:
    """Write a data set folder, split by product with near-identical images together.

    Pairs are streamed; only the images' names, looks and products are held. ``embeds`` puts the
    images into it; ``models`` are those whose pairs it is to hold, if not all; ``known_models`` has
    the prices of what the manifest says was spent, and ``license_name`` goes on the card.
    """

    def write(go_on: Callable[[], None]) -> int:
        kept = _KeptPairs(ledger, reports, models)
        return _write_folder(
            lambda: reviewed.chosen(lambda: kept.rows(go_on)),
            reports,
            folder,
            images_dir,
            known_models=known_models,
            models=models,
            reviewed=reviewed,
            embeds=embeds,
            license_name=license_name,
        )

    return await in_thread(write)


def _write_folder(
    rows: Callable[[], Iterator[PairRow]],
    reports: Sequence[CampaignReport],
    folder: Path,
    images_dir: Path,
    known_models: ModelCatalogue,
    *,
    models: Sequence[str],
    reviewed: ReviewedPairs,
    embeds: bool,
    license_name: str,
) -> int:
    from shared.dataset.folder import write_dataset  # noqa: PLC0415
    from shared.dataset.splits import RULE, split_units  # noqa: PLC0415
    from shared.dataset.units import units_of  # noqa: PLC0415
    from shared.images.fingerprints import looks_in  # noqa: PLC0415

    if not images_dir.is_dir():
        raise InputError(f"{images_dir}: no such images folder; give --images DIR")
    names = list(dict.fromkeys(row.filename for row in rows()))
    if not names:
        raise InputError(f"{folder}: no pair is left to write; ask for less than these options do")
    units = units_of(map(pair_of, rows()), looks_in(images_dir, names))
    splits = split_units(units, seed=SPLIT_SEED)
    extra = columns_of(reports)
    with report_progress("writing pairs", sum(report.pairs for report in reports)) as progress:
        return write_dataset(
            map(pair_of, _placed(rows(), reviewed, units, splits, progress=progress)),
            folder,
            source={
                "program": "curator",
                **({"models": list(models)} if models else {}),
                **_sources(reports, known_models),
                **({"reviews": reviewed.described()} if reviewed.is_told else {}),
            },
            split_rule={**RULE, "seed": SPLIT_SEED, "unit": "product, look-alikes together"},
            embed_from=images_dir if embeds else None,
            extra=extra,
            license_name=license_name,
        )


def _sources(reports: Sequence[CampaignReport], known: ModelCatalogue) -> dict[str, object]:
    """Return what a manifest says of one campaign, or of each of several."""
    sources = [_source(report, known) for report in reports]
    if len(sources) == 1:
        return sources[0]
    ids = (report.campaign_id for report in reports)
    return {"campaigns": [{"id": each, **one} for each, one in zip(ids, sources, strict=True)]}


def _source(report: CampaignReport, known_models: ModelCatalogue) -> dict[str, object]:
    return {
        "prompt_version": report.campaign.prompt_version,
        "questions": report.campaign.questions,
        "prompts": list(report.campaign.prompts),
        "rejected_by_rule": dict(report.rejected),
        "replies_by_model": models_object(report),
        "replies_of_other_models": report.replies_of_others,
        "canaries": canaries_object(report),
        "spending": spending_object(report, known_models),
        "items_done": report.progress.done,
        "items_given_up": report.progress.dead,
        "items_unfit": dict(report.unfit),
    }


def _placed(
    rows: Iterator[PairRow],
    reviewed: ReviewedPairs,
    units: Mapping[str, str],
    splits: Mapping[str, Split],
    *,
    progress: ProgressReport,
) -> Iterator[PairRow]:
    for row in rows:
        # A run beside the export may have added images since their splits were drawn.
        if row.filename in splits:
            placed = reviewed.placed(row, units[row.filename], splits[row.filename])
            if placed is not None:
                yield placed
        progress.advance()


class _KeptPairs:
    """The pairs of campaigns in a ledger, or those of ``models``, read as often as is asked."""

    def __init__(
        self, ledger: Path, reports: Sequence[CampaignReport], models: Sequence[str]
    ) -> None:
        with reading(ledger) as connection:
            self.products = products(connection)
        self._ledger = ledger
        self._versions = versions_of(reports)
        self._models = models

    def rows(self, go_on: Callable[[], None]) -> Iterator[PairRow]:
        """Yield the pairs with their products; ``go_on`` is called before each page of them."""
        return chain.from_iterable(map(rows_of, self.pages(go_on, PairRow._fields)))

    def pages(self, go_on: Callable[[], None], wanted: Collection[str]) -> Iterator[PairColumns]:
        """Yield the same, page by page, as columns, of which some are ``wanted``."""
        product_of = self.products.of
        pages = pages_of_pairs(
            self._ledger, self._versions, product_of, self._models, wanted=wanted
        )
        for page in pages:
            go_on()
            yield page
